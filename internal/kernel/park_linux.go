package kernel

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A helper without work parks in a system call of its own, and who has work wakes its
// thread. Through a channel another thread would be woken, which looks for the helper's
// goroutine; and Linux (6.18, on a virtual machine) was seen to start a thread on the
// processor of the one that wakes it while another is idle. There it waits until the
// caller has done its own part, so that two workers take twice the time of one half. So
// that cannot be: while it sleeps, the thread is forbidden the caller's processor.

// parking is how a helper parks.
type parking struct {
	thread int         // that parks
	mask   unix.CPUSet // its processors
	moved  bool        // it is kept from one of them
}

func (p *parking) init() {}

// settle takes note of the thread that is about to park.
func (p *parking) settle() { p.thread = unix.Gettid() }

// park returns when state is another than away.
func (p *parking) park(state *atomic.Uint32) {
	for state.Load() == helperAway {
		_, _, _ = syscall.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(state)), futexWait, helperAway, 0, 0, 0)
	}
	if p.moved {
		p.moved = false
		_ = unix.SchedSetaffinity(p.thread, &p.mask)
	}
}

// prepare is called by the only goroutine that may end the park, before it changes the
// state.
func (p *parking) prepare() {
	var here uint32
	if _, _, e := syscall.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&here)), 0, 0); e != 0 {
		return
	}
	if unix.SchedGetaffinity(p.thread, &p.mask) != nil || !p.mask.IsSet(int(here)) || p.mask.Count() < 2 {
		return
	}
	others := p.mask
	others.Clear(int(here))
	p.moved = unix.SchedSetaffinity(p.thread, &others) == nil
}

// rouse ends a park, after the state was changed.
func (p *parking) rouse(state *atomic.Uint32) {
	_, _, _ = syscall.RawSyscall(unix.SYS_FUTEX, uintptr(unsafe.Pointer(state)), futexWake, 1)
}

// The operations of the call, between threads of one process.
const (
	futexWait = 0 | 128
	futexWake = 1 | 128
)
