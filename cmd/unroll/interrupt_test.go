//go:build unix

package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/tensor"
)

// waiting starts a command that holds its standard input open.
func waiting(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = append([]string{"unroll"}, args...)
	cmd.Dir = dir
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// Whatever a command is at, one signal ends it, with the signal's exit code and
// with nothing written: a long run, a page, a read that waits, a pipe that nobody
// writes to. Without the signal each would go on for longer than the test waits.
func TestOneSignalEndsEveryCommand(t *testing.T) {
	dir := t.TempDir()
	x := tensor.New(1<<20, 8)
	if err := array.WriteFile(filepath.Join(dir, "x.npy"), checkpoint.Set{checkpoint.Of("x", x)}, array.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o666); err != nil {
		t.Skip("no pipes with names here")
	}
	layer, err := unroll.New(unroll.Config{Mode: unroll.LSTM, InputSize: 8, HiddenSize: 64})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&modelfile.Loaded{Layer: layer}).Save(filepath.Join(dir, "m.safetensors"), modelfile.Safetensors, 0); err != nil {
		t.Fatal(err)
	}
	model, err := filepath.Abs("../../task/testdata/v0/classify")
	if err != nil {
		t.Fatal(err)
	}
	commands := []string{ // signals take turns
		"run --mode LSTM --input-size 8 --hidden-size 1024 --output y.npy x.npy",
		"run --mode LSTM --input-size 8 --hidden-size 8 --stream -",
		"run --input-size 8 --hidden-size 8 -",
		"explain m.safetensors x.npy --html page.html",
		"bench --runs 100000",
		"train pipe --task text -o model",
		"train - --task text -o model",
	}
	if isFolder(model) {
		commands = append(commands, "predict "+model, "eval "+model+" -")
	}
	before := names(t, dir)
	for i, line := range commands {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}[i%2 : i%2+1] {
			cmd := waiting(t, dir, strings.Fields(line)...)
			time.Sleep(300 * time.Millisecond) // for it to be in the midst of its work
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() {
				_ = cmd.Wait() // its exit code is looked at below
				close(ended)
			}()
			select {
			case <-ended:
			case <-time.After(time.Minute):
				t.Fatalf("%s: %v did not end it", line, signal)
			}
			if got, want := cmd.ProcessState.ExitCode(), 128+int(signal); got != want {
				t.Errorf("%s: exit code %d after %v, want %d", line, got, signal, want)
			}
			if after := names(t, dir); after != before {
				t.Errorf("%s: the folder held %s, and after %v %s", line, before, signal, after)
			}
		}
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

// What holds on is let finish; a second signal ends it nevertheless.
func TestHoldingOn(t *testing.T) {
	exits := make(chan int, 1)
	begin := func() (context.Context, chan os.Signal) {
		signals := make(chan os.Signal)
		e := &ending{exit: func(code int) { exits <- code }, abandon: func() {}}
		return e.watch(context.Background(), signals), signals
	}
	ctx, signals := begin()
	done := holdOn(ctx)
	signals <- syscall.SIGTERM
	<-ctx.Done()
	select {
	case code := <-exits:
		t.Fatalf("exit %d although it holds on", code)
	case <-time.After(20 * time.Millisecond):
	}
	done()
	if code := <-exits; code != 143 {
		t.Errorf("exit code %d, want 143", code)
	}
	ctx, signals = begin()
	defer holdOn(ctx)()
	given := false
	atEnd(ctx, func() { given = true })
	signals <- syscall.SIGTERM
	signals <- os.Interrupt
	if code := <-exits; code != 130 || !given {
		t.Errorf("exit code %d, want 130; given back: %v", code, given)
	}
}

// The exit code is the signal's also where the command ended well.
func TestExitCodeOfASignal(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(interrupt{os.Interrupt})
	if code := execute(ctx, []string{"version"}, strings.NewReader(""), io.Discard, io.Discard); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
}

// isFolder reports whether a path is that of a folder that is there.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
