//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process starts the command as a process of its own, in dir.
func process(t *testing.T, dir string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = append([]string{"unroll"}, args...) // the name is what makes the test binary the command
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, &stderr
}

// poem writes a text to train on and returns the arguments of a run with all
// that has a state: dropout, momentum, a schedule that counts steps.
func poem(t *testing.T) (dir string, run []string) {
	t.Helper()
	dir = t.TempDir()
	text := strings.Repeat("to be, or not to be: that is the question.\n", 60)
	if err := os.WriteFile(filepath.Join(dir, "poem.txt"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return dir, strings.Fields("train poem.txt --task text --hidden 16 --layers 2 --embedding 8 --batch 4 --window 20" +
		" --dropout .1 --head-dropout .2 --schedule cosine --warmup 5 --epochs 40 --log log.jsonl")
}

func with(args []string, more ...string) []string {
	return append(append([]string{}, args...), more...)
}

// weights are the bytes of the model folder's parameters.
func weights(t *testing.T, dir, model string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, model, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// within waits up to a minute until cond is true.
func within(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("no %s within a minute", what)
}

// A run that is killed again and again, at whatever moment, a save included,
// and taken up each time ends in the bytes of one that was left alone.
func TestKilledTrainingEndsInTheSameBytes(t *testing.T) {
	dir, run := poem(t)
	cmd, stderr := process(t, dir, with(run, "-o", "whole")...)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	point := filepath.Join(dir, "part", checkpointFile)
	kills := 0
	for done := false; !done; {
		args := with(run, "-o", "part")
		before := time.Time{}
		if st, err := os.Stat(point); err == nil {
			args, before = append(args, "--resume"), st.ModTime()
		}
		cmd, stderr := process(t, dir, args...)
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		// The next checkpoint, and then a moment more, a longer one each time.
		within(t, "checkpoint", func() bool {
			st, err := os.Stat(point)
			return err == nil && st.ModTime().After(before) || len(ended) > 0
		})
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("after %d kills: %v\n%s", kills, err, stderr)
			}
			done = true
		case <-time.After(time.Duration(kills*1700) * time.Microsecond):
			if err := cmd.Process.Kill(); err == nil {
				kills++
			}
			if err := <-ended; err == nil {
				done = true // it ended before the signal came
			}
		}
	}
	t.Logf("killed %d times", kills)
	if kills < 3 {
		t.Errorf("killed %d times only: the run is too short for this test", kills)
	}
	if !bytes.Equal(weights(t, dir, "part"), weights(t, dir, "whole")) {
		t.Error("the parameters differ from those of a run that was not killed")
	}
}

// An interrupt finishes the step, saves, and prints the command that goes on;
// that command ends in the bytes of a run that was not stopped.
func TestInterruptSavesAndSaysHowToGoOn(t *testing.T) {
	dir, run := poem(t)
	cmd, stderr := process(t, dir, with(run, "-o", "whole")...)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		model := "stopped-" + signal.String()
		log := model + ".jsonl"
		cmd, stderr := process(t, dir, with(run, "-o", model, "--log", log)...)
		within(t, "second epoch", func() bool {
			b, _ := os.ReadFile(filepath.Join(dir, log))
			return bytes.Contains(b, []byte(`"epoch":2`))
		})
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // the exit code is what counts
		if want := (interrupt{signal}).code(); cmd.ProcessState.ExitCode() != want {
			t.Fatalf("%v: exit code %d, want %d\n%s", signal, cmd.ProcessState.ExitCode(), want, stderr)
		}
		said := regexp.MustCompile(`stopped in epoch \d+ after \d+ steps, saved in \S+; go on with: unroll (.*)\n$`).FindStringSubmatch(stderr.String())
		if said == nil {
			t.Fatalf("%v: %s", signal, stderr)
		}
		cmd, stderr = process(t, dir, strings.Fields(said[1])...)
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%s: %v\n%s", said[1], err, stderr)
		}
		if !bytes.Equal(weights(t, dir, model), weights(t, dir, "whole")) {
			t.Errorf("%v: the parameters differ from those of a run that was not stopped", signal)
		}
	}
}
