package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unroll-ml/unroll/nn"
)

// hours is a table of n rows, an hour apart.
func hours(t *testing.T, name string, n int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("time,v\n")
	at := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		fmt.Fprintf(&b, "%s,%.3f\n", at.Add(time.Duration(i)*time.Hour).Format(time.DateTime), 10+float64(i)/50+math.Sin(float64(i)))
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMoreRowsKeepWhatTheModelKnows: more rows are refused without their flag, and
// with it scaling and vocabulary stay those of the training so far.
func TestMoreRowsKeepWhatTheModelKnows(t *testing.T) {
	short, long, dir := hours(t, "short.csv", 120), hours(t, "long.csv", 200), filepath.Join(t.TempDir(), "m")
	command(t, 0, "train", short, "--task", "forecast", "--lags", "8", "--horizon", "2", "--season", "4", "--hidden", "4", "--epochs", "2", "-o", dir)
	scaling := func() string {
		cfg, err := nn.ReadConfig(dir)
		if err != nil {
			t.Fatal(err)
		}
		return string(cfg.Meta["scaling"])
	}
	was := scaling()
	_, said := command(t, codeFailure, "train", long, "-o", dir, "--resume", "--epochs", "3")
	if !strings.Contains(said, "--more-rows") {
		t.Errorf("%q names no flag", said)
	}
	_, said = command(t, codeUsage, "train", hours(t, "fewer.csv", 100), "-o", dir, "--resume", "--epochs", "3", "--more-rows")
	if !strings.Contains(said, "does not begin with") {
		t.Errorf("fewer rows: %q", said)
	}
	_, said = command(t, 0, "train", long, "-o", dir, "--resume", "--epochs", "4", "--more-rows")
	if !strings.Contains(said, "the best model so far has validation loss") {
		t.Errorf("more rows: %q", said)
	}
	if now := scaling(); now != was {
		t.Errorf("the scaling was %s and is %s", was, now)
	}
	readme, err := os.ReadFile(filepath.Join(dir, nn.ReadmeFile))
	if err != nil || !strings.Contains(string(readme), "does not give this model") {
		t.Errorf("README: %s, %v", readme, err)
	}
	// From here on the longer file is the run's.
	command(t, 0, "train", long, "-o", dir, "--resume", "--epochs", "5")
	command(t, codeFailure, "train", short, "-o", dir, "--resume", "--epochs", "6")
	command(t, codeUsage, "train", long, "--task", "forecast", "-o", filepath.Join(t.TempDir(), "n"), "--more-rows")

	texts, more := filepath.Join(t.TempDir(), "a.txt"), filepath.Join(t.TempDir(), "b.txt")
	poem := strings.Repeat("the quick brown fox\n", 30)
	for path, text := range map[string]string{texts: poem, more: poem + strings.Repeat("jumps over the lazy dog\n", 30)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dir = filepath.Join(t.TempDir(), "m")
	command(t, 0, "train", texts, "--task", "text", "--window", "10", "--batch", "2", "--hidden", "4", "--embedding", "4", "--epochs", "1", "-o", dir)
	before, err := nn.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	command(t, 0, "train", more, "-o", dir, "--resume", "--epochs", "2", "--more-rows")
	if after, err := nn.ReadConfig(dir); err != nil || string(after.Meta["vocabulary"]) != string(before.Meta["vocabulary"]) {
		t.Errorf("the vocabulary was %s and is %s, %v", before.Meta["vocabulary"], after.Meta["vocabulary"], err)
	}
}
