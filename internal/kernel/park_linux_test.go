package kernel

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// processor is that of the running thread.
func processor(t *testing.T) int {
	t.Helper()
	var here uint32
	if _, _, e := syscall.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&here)), 0, 0); e != 0 {
		t.Skip("no getcpu:", e)
	}
	return int(here)
}

// TestHelpersWakeElsewhere: while a helper parks its thread is kept from the processor
// of the one that is about to wake it, and has all of its processors again when it works.
func TestHelpersWakeElsewhere(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil || all.Count() < 2 {
		t.Skip("one processor")
	}
	var state atomic.Uint32
	var p parking
	p.init()
	type seen struct {
		mask  unix.CPUSet
		moved bool
	}
	ready, done := make(chan bool), make(chan seen)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for range 20 {
			p.settle()
			state.Store(helperAway)
			ready <- true
			p.park(&state)
			s := seen{moved: p.moved}
			if err := unix.SchedGetaffinity(0, &s.mask); err != nil {
				t.Error(err)
			}
			done <- s
		}
	}()
	for range 20 {
		<-ready
		time.Sleep(time.Millisecond) // it may park, or be about to
		// The thread of the test stays where it is.
		here, alone := processor(t), unix.CPUSet{}
		alone.Set(here)
		if err := unix.SchedSetaffinity(0, &alone); err != nil {
			t.Fatal(err)
		}
		p.prepare()
		var kept unix.CPUSet
		if err := unix.SchedGetaffinity(p.thread, &kept); err != nil || kept.IsSet(here) || kept.Count() != all.Count()-1 {
			t.Errorf("on processor %d of %d the helper's thread has %d: %v", here, all.Count(), kept.Count(), err)
		}
		state.Store(helperBusy)
		p.rouse(&state)
		if got := <-done; got.mask != all || got.moved {
			t.Errorf("the helper's thread works on %d of %d processors", got.mask.Count(), all.Count())
		}
		if err := unix.SchedSetaffinity(0, &all); err != nil {
			t.Fatal(err)
		}
	}
}
