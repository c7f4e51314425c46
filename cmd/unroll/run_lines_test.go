package main

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint/array/text"
	"github.com/unroll-ml/unroll/internal/testkit"
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

// A step of a line takes memory for its numbers, not for a reader of files, and what it
// took before is free again.
func TestStreamedLinesTakeLittleMemory(t *testing.T) {
	for line, most := range map[string]int{"1,2,3\n": 300, "[1,2,3]\n": 900} {
		taken := func(lines int) int {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			code := execute(t.Context(), []string{"run", "--input-size", "3", "--hidden-size", "2", "-", "--stream"}, strings.NewReader(strings.Repeat(line, lines)), io.Discard, io.Discard)
			runtime.ReadMemStats(&after)
			if code != codeOK {
				t.Fatalf("exit code %d", code)
			}
			return int(after.TotalAlloc - before.TotalAlloc)
		}
		if each := (taken(3000) - taken(1000)) / 2000; each > most {
			t.Errorf("%q takes %d bytes, want at most %d", line, each, most)
		}
	}
}

// A line that plainStep reads has the numbers that ReadCSV reads.
func TestPlainStepsAreRowsOfCSV(t *testing.T) {
	for _, comma := range []rune{',', ';', '\t', '|', '·'} {
		for line, plain := range map[string]bool{
			"1,2.5,-3e-4\n": true, " 1 , 2\r\n": true, "NaN,-Inf,+infinity\n": true, "0x1p-2,1\n": true, "7": true, "1_000\n": true,
			"1.00000005960464477539062500000000000000000000000083,1": true,
			"\"1\",2\n": false, "1,,2\n": false, "1,a\n": false, "#1\n": false, "sep=;\n": false, "1e400,1\n": false, "1,\n": false, "\n": false,
			"\xef\xbb\xbf1\n": false, "1\r2\n": false,
		} {
			line = strings.ReplaceAll(line, ",", string(comma))
			c := text.CSV{Dialect: text.Dialect{Comma: comma, Header: text.HeaderNo}}
			x, ok := plainStep[float32](line, c)
			if ok != plain {
				t.Errorf("%q: plain is %v", line, ok)
			}
			if d, _, err := text.ReadCSV[float32](strings.NewReader(line), c); ok && err != nil {
				t.Errorf("%q: ReadCSV says %v", line, err)
			} else if ok {
				testkit.Bits(t, line, x, d.Data)
			}
		}
	}
	for _, c := range []text.CSV{
		{Dialect: text.Dialect{Comma: ',', Header: text.HeaderYes}},
		{Dialect: text.Dialect{Header: text.HeaderNo}},
		{Dialect: text.Dialect{Comma: ';', Decimal: ',', Header: text.HeaderNo}},
		{Dialect: text.Dialect{Comma: ',', Header: text.HeaderNo}, Columns: []string{"a"}},
	} {
		if x, ok := plainStep[float32]("1\n", c); ok {
			t.Errorf("%+v: %v", c, x)
		}
	}
}
