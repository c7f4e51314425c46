package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/train"
)

// Settings that earlier releases saved wrote 0 for a default, and still mean it.
func TestOldSettingsMeanWhatTheyMeant(t *testing.T) {
	for saved, want := range map[string][2]float64{
		`{"Optimizer":"Adam","LR":0,"Factor":0}`:            {1e-3, .1},
		`{"Optimizer":"SGD","LR":0,"Factor":0.5}`:           {1e-3, .5},
		`{"Optimizer":"RMSprop","LR":0,"Factor":0}`:         {1e-2, .1},
		`{"Optimizer":"adagrad","LR":0.25,"Factor":0}`:      {.25, .1},
		`{"Optimizer":"Adam","LR":0,"Factor":0,"Form":1}`:   {0, 0},
		`{"Optimizer":"Adam","LR":0.1,"Factor":0,"Form":1}`: {.1, 0},
	} {
		var f trainFlags
		if err := json.Unmarshal([]byte(saved), &f); err != nil {
			t.Fatal(err)
		}
		f.upgrade()
		if f.LR != want[0] || f.Factor != want[1] || f.Form != settingsForm {
			t.Errorf("%s: lr %v, factor %v, form %d, want %v", saved, f.LR, f.Factor, f.Form, want)
		}
	}
}

// --lr 0 trains at 0: the parameters stay as they were drawn.
func TestRateZeroIsZero(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "t.txt"), []byte(strings.Repeat("to be, or not to be: ", 30)), 0o666); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "m")
	log := filepath.Join(dir, "log")
	cmd := newTrainCmd()
	cmd.SetArgs([]string{filepath.Join(dir, "t.txt"), "--task", "text", "-o", out, "--lr", "0", "--epochs", "1", "--hidden", "4", "--embedding", "3", "--log", log})
	cmd.SetOut(new(strings.Builder))
	cmd.SetErr(new(strings.Builder))
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), `"lr":0,`) {
		t.Errorf("the log says %s", b)
	}
	extra, err := train.Extra(filepath.Join(out, checkpointFile))
	if err != nil || !strings.Contains(extra, `"LR":0,`) || !strings.Contains(extra, `"Form":1`) {
		t.Errorf("the settings say %s, %v", extra, err)
	}
}
