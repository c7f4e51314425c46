package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBashCompletesByItself: in a bash that has read nothing else, a tab completes
// commands, flags, their values, also after "=", and names of files.
func TestBashCompletesByItself(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "unroll")); err != nil {
		t.Fatal(err)
	}
	script, _ := command(t, 0, "completion", "bash")
	if err := os.WriteFile(filepath.Join(dir, "script"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	loneLayer(t, filepath.Join(dir, "layered.safetensors"), "")
	ptmx, tty := terminal(t)
	cmd := exec.Command(bash, "--norc", "--noprofile", "-i")
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, tty, tty, tty
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "TERM=dumb", "HOME=" + dir, "PS1=>"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	var seen bytes.Buffer
	read := make(chan struct{})
	go func() { // ends with an error once no one holds the terminal
		_, _ = io.Copy(&seen, ptmx)
		close(read)
	}()
	// Letters wait in the terminal until readline asks for them.
	for _, line := range []string{
		"source script", "unroll ru\t--input-s\t2 --mo\tLS\t", "unroll run --mode=GR\t --seed 3", "unroll inspect laye\t", "unroll inspe\tlaye\t --js\t | head -c 30", "exit",
	} {
		if _, err := fmt.Fprintln(ptmx, line); err != nil {
			t.Fatal(err)
		}
	}
	err = cmd.Wait()
	<-read
	got := seen.String()
	for _, want := range []string{"LSTM(2, 4, num_layers=2)", "GRU(3, 4, num_layers=2)", "layered.safetensors: safetensors", `{"file":"layered.safetensors"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in what bash showed (%v):\n%s", want, err, got)
		}
	}
	if strings.Contains(got, "not found") || strings.Contains(got, "bash: _") {
		t.Errorf("bash says:\n%s", got)
	}
}

// terminal is a pseudo-terminal and its other side.
func terminal(t *testing.T) (ptmx, tty *os.File) {
	t.Helper()
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { ptmx.Close() })
	if err := unix.IoctlSetPointerInt(int(ptmx.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ptmx.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ptmx, tty
}
