// Command unroll runs, explains, converts and trains stacked recurrent layers
// with PyTorch's meaning. "unroll --help" lists what it does.
//
// Data goes to stdout, progress and complaints to stderr. The exit code is 0
// for success, 1 for a failure and 2 for wrong usage; both come with one line
// that says what was wrong. After an interrupt it is 130, after SIGTERM 143. "-" as
// a file name is a standard stream.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
)

func main() {
	os.Exit(execute(watchSignals(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// execute runs one command line and returns its exit code. What a command
// writes to stdout is buffered until it ends.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out := bufio.NewWriterSize(stdout, 1<<16)
	root := newRootCmd()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(context.WithValue(ctx, stdoutKey{}, stdout))
	if e := out.Flush(); err == nil && e != nil {
		err = failure{fmt.Errorf("write to standard output: %w", e)}
	}
	signal, stopped := interrupted(ctx)
	switch {
	case err == nil && !stopped:
		return codeOK
	case err == nil:
		return signal.code()
	case stopped && errors.Is(err, context.Canceled):
		err = signal
	}
	// Parts of the message may come from a file.
	line := checkpoint.Printable(strings.ReplaceAll(strings.TrimSpace(inWords(err)), "\n", "; "))
	code := exitCode(err)
	if code == codeUsage && !stopped {
		line += fmt.Sprintf(" (see %q)", cmd.CommandPath()+" --help")
	}
	fmt.Fprintln(stderr, "unroll: "+line)
	if stopped {
		return signal.code()
	}
	return code
}
