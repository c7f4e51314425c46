package levels

import (
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/internal/kernel"
)

func TestEachVisitsAllAndReturns(t *testing.T) {
	before := kernel.Level()
	var seen []string
	Each(func(level string) {
		if kernel.Level() != level {
			t.Errorf("at %s the kernels run %s", level, kernel.Level())
		}
		seen = append(seen, level)
	})
	if !slices.Equal(seen, kernel.Levels()) || kernel.Level() != before {
		t.Errorf("saw %v, left at %s; want %v and %s", seen, kernel.Level(), kernel.Levels(), before)
	}
}
