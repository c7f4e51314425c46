//go:build amd64 || arm64

package kernel

import (
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// mayUse returns the processors that the calling thread may run on.
func mayUse(t *testing.T) (set processorSet, all []int) {
	t.Helper()
	if _, e := affinity(syscall.SYS_SCHED_GETAFFINITY, unsafe.Sizeof(set), &set); e != 0 {
		t.Skipf("the system does not tell where a thread may run: %v", e)
	}
	for c := range 64 * len(set) {
		if set.has(c) {
			all = append(all, c)
		}
	}
	return set, all
}

// TestSettleGoesWhereNobodyIs: wherever a thread is, with all processors but one taken
// it comes to that one, and may run afterwards where it might before.
func TestSettleGoesWhereNobodyIs(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	may, all := mayUse(t)
	if len(all) < 2 {
		t.Skip("one processor")
	}
	for _, free := range all {
		p := places{since: time.Now().Add(time.Hour)} // however long this thread waits now
		for _, c := range all {
			if c != free {
				p.taken.add(c)
			}
		}
		p.settle()
		if !p.taken.has(free) {
			t.Errorf("of the processors %v only %d was free, and the thread is not there", all, free)
		}
		p.settle() // none is free: it stays, and says so
		if got, _ := mayUse(t); got != may {
			t.Errorf("the thread may run on %x afterwards, before on %x", got, may)
		}
	}
}

// TestWokenWorkersAreLookedAt: workers that were parked, or were waited for, take places;
// where workers are more than processors none does.
func TestWokenWorkersAreLookedAt(t *testing.T) {
	_, all := mayUse(t)
	if len(all) < 2 {
		t.Skip("one processor")
	}
	var team Team
	count := func() (n int) {
		for _, c := range all {
			if team.places.taken.has(c) {
				n++
			}
		}
		return n
	}
	run := func(n int) {
		team.places.taken = processorSet{}
		team.Run(nothing{}, n)
	}
	n := min(len(all), 4)
	run(n)
	for !parked() {
		time.Sleep(time.Millisecond)
	}
	if run(n); count() == 0 {
		t.Errorf("%d workers that were parked were not looked at", n)
	}
	team.waits.watching = true
	if run(n); count() == 0 {
		t.Errorf("%d workers that were waited for were not looked at", n)
	}
	if run(len(all) + 1); count() != 0 {
		t.Error("more workers than processors were looked at")
	}
}
