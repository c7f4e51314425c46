//go:build unix

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
)

// A conversion that is ended at whatever moment leaves the folder that was there or
// the one that it makes, whole: weights of the one beside the words of the other
// would answer wrongly. Nothing is left beside it after the next.
func TestEndedConversionsLeaveOneModel(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"a", "b"} {
		who := json.RawMessage(`"` + name + `"`)
		m, err := nn.New(nn.Config{RNN: unroll.Config{Mode: unroll.LSTM, InputSize: 8, HiddenSize: 192}, OutFeatures: 2, Meta: map[string]json.RawMessage{"who": who}})
		if err != nil {
			t.Fatal(err)
		}
		m.ResetParameters(rng.New(uint64(i)))
		if err := m.Save(filepath.Join(dir, name), ""); err != nil {
			t.Fatal(err)
		}
	}
	first := func(name string) float32 {
		m, err := nn.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return m.RNN().Params()[0].Value.Data[0]
	}
	of := map[float32]string{first("a"): `"a"`, first("b"): `"b"`}
	begin := time.Now()
	cmd, stderr := process(t, dir, "convert", "a", "out")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	took := time.Since(begin)
	const ends = 24
	inside, kept, made := 0, 0, 0
	for i := range ends {
		before := whose(t, filepath.Join(dir, "out"), of)
		cmd, _ := process(t, dir, "convert", []string{"b", "a"}[i%2], "out")
		time.Sleep(took * time.Duration(i+1) / ends)
		if err := cmd.Process.Signal([]syscall.Signal{syscall.SIGKILL, syscall.SIGINT}[i/2%2]); err != nil && !strings.Contains(err.Error(), "finished") {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was ended
		if list, err := os.ReadDir(filepath.Join(dir, "out")); err != nil {
			t.Fatal(err)
		} else if len(list) > 2 {
			inside++
		}
		if whose(t, filepath.Join(dir, "out"), of) == before {
			kept++
		} else {
			made++
		}
	}
	t.Logf("of %d, %d left the old model and %d the new; %d left something beside", ends, kept, made, inside)
	command(t, 0, "convert", filepath.Join(dir, "a"), filepath.Join(dir, "out"))
	if list, err := os.ReadDir(filepath.Join(dir, "out")); err != nil || len(list) != 2 {
		t.Errorf("%v is left, %v", list, err)
	}
}

// whose is the name in a folder's config, which has to be that of its weights.
func whose(t *testing.T, dir string, of map[float32]string) string {
	t.Helper()
	m, err := nn.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	who := string(m.Config().Meta["who"])
	if of[m.RNN().Params()[0].Value.Data[0]] != who {
		t.Fatalf("%s has the config of %s and other weights", dir, who)
	}
	return who
}
