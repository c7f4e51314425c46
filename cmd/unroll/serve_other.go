//go:build !unix && !js && !noserve

package main

import "os"

// hangups is nil where there is no SIGHUP.
func hangups() <-chan os.Signal { return nil }
