package server

import "sync"

// ballastBytes is how much more a server may let lie before the collector comes: Go
// comes when the heap has doubled, from 4 MiB on, and the messages of a thousand steps
// are that much. Measured, a step on a stream costs a quarter less with it.
const ballastBytes = 16 << 20

// ballast is memory that nobody touches, so that the system gives none for it, but
// which the collector counts. There is one a process.
var ballast = sync.OnceValue(func() []byte { return make([]byte, ballastBytes) })
