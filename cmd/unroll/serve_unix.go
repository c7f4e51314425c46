//go:build unix && !noserve

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// hangups are the SIGHUPs.
func hangups() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c
}
