package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"unroll": main})
}

// The scripts in testdata/script are the command as a person uses it. They
// have one command more than testscript has: "exit N unroll ..." runs a
// program and wants exit code N.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			bach, err := filepath.Abs("../../examples/bach")
			env.Setenv("BACH", bach)
			old, e := filepath.Abs("../../task/testdata/v0")
			env.Setenv("V0", old)
			files, e2 := filepath.Abs("../../checkpoint")
			env.Setenv("FILES", files)
			return errors.Join(err, e, e2)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exit": scriptExit},
	})
}

func scriptExit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit N program args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var e *exec.ExitError
		if !errors.As(err, &e) {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestFailedWriteToStdoutIsAFailure(t *testing.T) {
	var stderr bytes.Buffer
	code := execute(context.Background(), []string{"version"}, strings.NewReader(""), full{}, &stderr)
	const want = "unroll: write to standard output: no space left on device\n"
	if code != codeFailure || stderr.String() != want {
		t.Errorf("exit code %d, %q; want %d, %q", code, stderr.String(), codeFailure, want)
	}
}

// Every command explains itself, and every flag says what it does.
func TestEveryCommandHasHelp(t *testing.T) {
	root := newRootCmd()
	for _, cmd := range root.Commands() {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: Short is %q, want a phrase without full stop", cmd.Name(), cmd.Short)
		}
		code := execute(context.Background(), []string{cmd.Name(), "--help"}, strings.NewReader(""), io.Discard, io.Discard)
		if code != codeOK {
			t.Errorf("%s --help: exit code %d", cmd.Name(), code)
		}
	}
}
