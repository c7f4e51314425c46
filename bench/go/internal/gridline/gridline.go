// Package gridline speaks the protocol of bench/py/grid.py: lines
// "set MODE I H T B train|fwd" and "run N K", each answered by one line.
package gridline

import (
	"bufio"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Shape is one cell of the grid: one layer.
type Shape struct {
	Mode                       string
	Input, Hidden, Steps, Rows int
	Training                   bool
}

// Serve answers the lines of standard input. caseOf returns one call of a shape: a
// sequence forward or, to train, forward, backward and a step of SGD; or nil if the
// engine has no such thing. A run is answered with the nanoseconds that the fastest of
// K times N calls took: of the processor with one thread, on the clock with more.
func Serve(threads int, caseOf func(Shape) func()) {
	var call func()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var s Shape
		var what string
		var n, times int
		if k, _ := fmt.Sscanf(in.Text(), "run %d %d", &n, &times); k == 2 {
			best := time.Hour
			for range times {
				start := now(threads)
				for range n {
					call()
				}
				best = min(best, now(threads)-start)
			}
			fmt.Println(best.Nanoseconds())
			continue
		}
		_, err := fmt.Sscanf(in.Text(), "set %s %d %d %d %d %s", &s.Mode, &s.Input, &s.Hidden, &s.Steps, &s.Rows, &what)
		Must(err)
		s.Training = what == "train"
		if call = caseOf(s); call == nil {
			fmt.Println("skip")
			continue
		}
		call()
		fmt.Println("ready")
	}
}

var began = time.Now()

// now is the processor's time of the process or, with several threads, the clock's.
func now(threads int) time.Duration {
	if threads > 1 {
		return time.Since(began)
	}
	var t unix.Timespec
	Must(unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t))
	return time.Duration(t.Nano())
}

// Must ends the process on an error.
func Must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
