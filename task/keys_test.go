package task_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/task"
)

// A column that numbers rows or names a thing is said, with the flag that leaves it out.
func TestColumnsOfKeysAreSaid(t *testing.T) {
	b := "time,row,store_id,idea,grid,load\n"
	for i := range 400 {
		b += fmt.Sprintf("2024-01-%02dT%02d:00:00Z,%d,%d,%d,%g,%d\n", 1+i/24, i%24, 100-2*i, i*i%3, i*i%7, float64(i*i%9)/2, i*i%11)
	}
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte(b), 0o666); err != nil {
		t.Fatal(err)
	}
	load := func(columns []string, targets []string) string {
		f := task.NewForecast()
		f.Lags, f.Horizon, f.Columns, f.Targets = 8, 2, columns, targets
		set, err := f.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		again, err := f.Load(path) // the model has its columns by now
		if err != nil || strings.Contains(strings.Join(again.Notes, ""), "--columns") {
			t.Errorf("loaded again: %q, %v", again.Notes, err)
		}
		return strings.Join(set.Notes, "\n")
	}
	want := `column "row" counts the rows, and reaches numbers after them that training has not seen: the model is trained on it; unless it is measured, leave it out with --columns store_id,idea,grid,load
column "store_id" is called like a key and holds whole numbers, which are read as quantities: the model is trained on it; unless it is measured, leave it out with --columns row,idea,grid,load`
	if got := load(nil, nil); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := load([]string{"idea", "grid", "load"}, nil); got != "" {
		t.Errorf("without them: %s", got)
	}
	if got := load(nil, []string{"row", "store_id"}); got != "" {
		t.Errorf("as targets: %s", got)
	}
}
