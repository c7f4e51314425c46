package server

import (
	"fmt"
	"time"
)

// Limits bound what clients can take. A zero field is its default.
type Limits struct {
	// Body is the most bytes of a request: a body of HTTP, a message of gRPC; 1 MiB.
	// Against: memory filled by a few large requests.
	Body int64
	// Run is the most bytes of the values of one run of a model, its answer
	// included; 256 MiB. Against: a small request whose answer is huge.
	Run int64
	// Work is the most multiply-adds of one run; 2^36, some seconds of a core.
	// Against: a request that holds a core for hours.
	Work int64
	// ID is the most bytes of a sequence's id; 256.
	// Against: memory filled by names.
	ID int
	// Sequences is the most sequences of a model; 100,000.
	// Against: sequences that are begun and never ended.
	Sequences int
	// StateBytes is the most bytes of all sequences of a model; 1 GiB.
	StateBytes int64
	// Queue is the most steps that wait at a shard; 4096.
	// Against: work that comes in faster than it is done; its answer is 429.
	Queue int
	// Idle is how long after its last step a sequence ends; 60 s. Below 0: never.
	// Against: clients that leave without ending theirs.
	Idle time.Duration
	// Connections is the most connections of a port; 4096.
	// Against: every file descriptor taken.
	Connections int
	// Streams is the most concurrent requests of a gRPC connection; 256.
	Streams uint32
	// Header, Read, Write and Keep are how long a connection may take to send its
	// header (5 s) and its whole request (30 s), to take its answer (60 s), and to
	// be there without a request (120 s).
	// Against: slow headers and bodies, readers that do not read.
	Header, Read, Write, Keep time.Duration
	// Ping is how often a client may ping at most; 10 s. A connection without an
	// answer to our own ping for 20 s is closed.
	// Against: floods of pings, half-open connections.
	Ping time.Duration
	// Tokens is the most tokens or steps that a task writes for one request; 10,000.
	Tokens int
}

// fill puts the defaults in.
func (l *Limits) fill() error {
	fill(&l.Body, 1<<20)
	fill(&l.Run, 256<<20)
	fill(&l.Work, 1<<36)
	fill(&l.ID, 256)
	fill(&l.Sequences, 100_000)
	fill(&l.StateBytes, 1<<30)
	fill(&l.Queue, 4096)
	fill(&l.Idle, time.Minute)
	fill(&l.Connections, 4096)
	fill(&l.Streams, 256)
	fill(&l.Header, 5*time.Second)
	fill(&l.Read, 30*time.Second)
	fill(&l.Write, time.Minute)
	fill(&l.Keep, 2*time.Minute)
	fill(&l.Ping, 10*time.Second)
	fill(&l.Tokens, 10_000)
	for _, n := range []struct {
		name  string
		value int64
		most  int64
	}{
		{"Body", l.Body, 1 << 30},
		{"Run", l.Run, 1 << 40},
		{"Work", l.Work, 1 << 60},
		{"ID", int64(l.ID), 1 << 16},
		{"Sequences", int64(l.Sequences), 1 << 30},
		{"StateBytes", l.StateBytes, 1 << 50},
		{"Queue", int64(l.Queue), 1 << 24},
		{"Connections", int64(l.Connections), 1 << 20},
		{"Header", int64(l.Header), 1 << 60},
		{"Read", int64(l.Read), 1 << 60},
		{"Write", int64(l.Write), 1 << 60},
		{"Keep", int64(l.Keep), 1 << 60},
		{"Ping", int64(l.Ping), 1 << 60},
		{"Tokens", int64(l.Tokens), 1 << 30},
	} {
		if n.value < 1 || n.value > n.most {
			return fmt.Errorf("server: Limits.%s is %d, expected 1 to %d, or 0 for the default", n.name, n.value, n.most)
		}
	}
	return nil
}

func fill[T comparable](v *T, std T) {
	var zero T
	if *v == zero {
		*v = std
	}
}
