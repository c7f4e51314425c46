package unroll

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// TestParametersAskForLargePages: Linux was asked for large pages where a large
// parameter lies, before anything was read into it.
func TestParametersAskForLargePages(t *testing.T) {
	if b, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled"); err != nil || len(b) == 0 {
		t.Skip("this system has no large pages to ask for")
	}
	l, err := New(Config{Mode: LSTM, InputSize: 1024, HiddenSize: 1024})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range l.Params()[:2] {
		if flags := mappingFlags(t, uintptr(unsafe.Pointer(&p.Value.Data[0]))); !slices.Contains(flags, "hg") {
			t.Errorf("%s lies in memory with flags %v, without hg", p.Name, flags)
		}
	}
}

// mappingFlags are what the system says of the memory that p lies in.
func mappingFlags(t *testing.T, p uintptr) []string {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	var lo, hi uintptr
	for s := bufio.NewScanner(f); s.Scan(); {
		if _, err := fmt.Sscanf(s.Text(), "%x-%x ", &lo, &hi); err == nil {
			continue
		}
		if flags, ok := strings.CutPrefix(s.Text(), "VmFlags:"); ok && p >= lo && p < hi {
			return strings.Fields(flags)
		}
	}
	t.Skip("the system does not tell of this memory")
	return nil
}
