package main

import (
	"bytes"
	"context"
	"io"
	"testing"
)

// asker gives a line only once the line before was answered, as a program that
// asks does.
type asker struct {
	lines    []string
	answered *bytes.Buffer
	had      int
	silent   bool
}

func (r *asker) Read(p []byte) (int, error) {
	r.silent = r.silent || r.had > 0 && r.answered.Len() == 0
	if r.had == len(r.lines) {
		return 0, io.EOF
	}
	r.answered.Reset()
	r.had++
	return copy(p, r.lines[r.had-1]), nil
}

// The output of a step is written before the next step is read.
func TestStreamAnswersEachLine(t *testing.T) {
	for _, lines := range [][]string{{"1,2,3\n", "4,5,6\n", "7,8,9\n"}, {"[1,2,3]\n", "[4,5,6]\n"}} {
		var out, stderr bytes.Buffer
		in := &asker{lines: lines, answered: &out}
		code := execute(context.Background(), []string{"run", "--input-size", "3", "--hidden-size", "2", "-", "--stream"}, in, &out, &stderr)
		if code != codeOK || in.silent || in.had != len(lines) {
			t.Errorf("%q: exit code %d, %d lines, unanswered %v\n%s", lines, code, in.had, in.silent, &stderr)
		}
	}
}
