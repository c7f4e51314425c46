package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// onTerminal runs the command with a pseudo-terminal as its standard error and
// returns what the terminal got.
func onTerminal(t *testing.T, dir string, args ...string) string {
	t.Helper()
	return onTerminalOf(t, 0, nil, dir, args...)
}

// onTerminalOf is onTerminal with so many columns, and variables added to the
// environment.
func onTerminalOf(t *testing.T, columns uint16, env []string, dir string, args ...string) string {
	t.Helper()
	ptmx, tty := terminal(t)
	if err := unix.IoctlSetWinsize(int(ptmx.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: columns}); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = append([]string{"unroll"}, args...)
	cmd.Dir, cmd.Stderr, cmd.Env = dir, tty, append(os.Environ(), env...)
	var seen bytes.Buffer
	read := make(chan struct{})
	go func() { // ends with an error once no one holds the terminal
		_, _ = io.Copy(&seen, ptmx)
		close(read)
	}()
	err = cmd.Run()
	tty.Close()
	<-read
	if err != nil {
		t.Fatalf("%v\n%s", err, &seen)
	}
	return seen.String()
}

// On a terminal one line changes in place; with --plot the plot does.
func TestProgressOnATerminal(t *testing.T) {
	dir, run := poem(t)
	out := onTerminal(t, dir, with(run, "-o", "line")...)
	for _, want := range []string{"\r\x1b[Kepoch 1/40   3%  loss ", " characters/s  left ", "\r\x1b[Kepoch 1/40  loss ", "epoch 40/40  loss ", "  validation ", "model in line"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in what the terminal got:\n%q", want, out)
		}
	}
	out = onTerminal(t, dir, with(run, "-o", "plot", "--plot")...)
	for _, want := range []string{"┤", "epoch 40/40: training ", "A\x1b[J", "nats a character"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in what the terminal got:\n%q", want, out)
		}
	}
}

// A plot and a line of progress fit into the terminal, and NO_COLOR
// (https://no-color.org) is obeyed.
func TestProgressFitsTheTerminal(t *testing.T) {
	dir, run := poem(t)
	escape := regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)
	for _, more := range [][]string{{"-o", "plot", "--plot"}, {"-o", "line"}} {
		const columns = 60
		out := onTerminalOf(t, columns, []string{"NO_COLOR=1"}, dir, with(run, more...)...)
		if regexp.MustCompile(`\x1b\[[0-9;]*m`).MatchString(out) {
			t.Errorf("%v: colours in spite of NO_COLOR", more)
		}
		drawn := 0
		for _, l := range strings.FieldsFunc(out, func(r rune) bool { return r == '\n' || r == '\r' }) {
			plain := escape.ReplaceAllString(l, "")
			if strings.ContainsRune(plain, '┤') || strings.Contains(plain, "%  loss") || strings.HasPrefix(plain, "epoch 3/40: ") {
				drawn++
				if n := len([]rune(plain)); n > columns {
					t.Errorf("%v: %d columns: %q", more, n, plain)
				}
			}
		}
		if drawn == 0 {
			t.Errorf("%v: %d lines were looked at", more, drawn)
		}
	}
	colored := onTerminalOf(t, 60, []string{"NO_COLOR="}, dir, with(run, "-o", "colored", "--plot")...)
	if !regexp.MustCompile(`\x1b\[[0-9;]+m`).MatchString(colored) {
		t.Error("no colours without NO_COLOR")
	}
}

// Elsewhere there are plain lines only, and one plot at the end.
func TestProgressElsewhere(t *testing.T) {
	dir, run := poem(t)
	cmd, stderr := process(t, dir, with(run, "-o", "m", "--plot")...)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	out := stderr.String()
	if strings.ContainsAny(out, "\r\x1b") {
		t.Errorf("control characters in a file:\n%q", out)
	}
	if n := strings.Count(out, "\nepoch "); n != 40 {
		t.Errorf("%d lines for 40 epochs:\n%s", n, out)
	}
	if strings.Count(out, "loss by epoch: training and validation") != 1 {
		t.Errorf("no plot at the end:\n%s", out)
	}
}
