//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Two trainings of one folder exclude each other, and a killed one leaves nothing
// that keeps the next away.
func TestOneTrainingAFolder(t *testing.T) {
	dir, run := poem(t)
	out := filepath.Join(dir, "m")
	cmd, stderr := process(t, dir, with(run, "-o", "m", "--epochs", "100000")...)
	within(t, "checkpoint", func() bool {
		_, err := os.Stat(filepath.Join(out, checkpointFile))
		return err == nil
	})
	other, said := process(t, dir, with(run, "-o", "m", "--overwrite")...)
	if err := other.Wait(); err == nil || !strings.Contains(said.String(), "another training is at work in m") {
		t.Errorf("a second training: %v, %s", err, said)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if _, err := os.Stat(filepath.Join(out, lockFile)); err != nil {
		t.Errorf("%v: the killed run had no lock, so this test saw nothing\n%s", err, stderr)
	}
	f, err := claimFolder(out, false, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claimFolder(out, true, false); err == nil {
		t.Error("a folder was claimed twice")
	}
	f.release()
	if f, err = claimFolder(out, true, false); err != nil {
		t.Fatal(err)
	}
	f.release()
	if _, err := os.Stat(filepath.Join(out, lockFile)); err == nil {
		t.Error("the lock's file is left")
	}
}

// A folder that cannot be written to is noticed before anything is read.
func TestReadOnlyFolderIsNoticedFirst(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "m")
	if err := os.Mkdir(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Create(filepath.Join(dir, "x")); err == nil {
		f.Close()
		t.Skip("permissions do not bind this user")
	}
	cmd := newTrainCmd()
	cmd.SetArgs([]string{"missing.txt", "--task", "text", "-o", dir})
	cmd.SetOut(new(strings.Builder))
	cmd.SetErr(new(strings.Builder))
	if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("%v, expected a word about the folder", err)
	}
}

// A file or a pipe is no folder for a model, and is not waited for.
func TestAFileIsNoFolder(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(file, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o666); err != nil {
		t.Skip("no pipes with names here")
	}
	for _, path := range []string{file, pipe} {
		for _, line := range []string{"train missing.txt --task text -o " + path, "predict " + path + " x", "eval " + path + " x"} {
			var said strings.Builder
			code := execute(t.Context(), strings.Fields(line), strings.NewReader(""), &said, &said)
			if code == 0 || !strings.Contains(said.String(), path+": it is a file") {
				t.Errorf("%s: %d %s", line, code, &said)
			}
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "mine" {
		t.Errorf("the file holds %q, %v", b, err)
	}
}
