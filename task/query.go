package task

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint/array/text"
	"github.com/unroll-ml/unroll/train/data"
)

// Query is a question to a model, in the words of all tasks.
type Query struct {
	// Input is the text or the file the answer is about; "-" is In. What names a
	// file that is there is that file, and Log is told, unless Text is set.
	Input string
	Text  bool
	In    io.Reader
	Out   io.Writer // gets the answer
	Log   io.Writer // gets sentences about it; nil: nobody
	JSON  bool      // the answer is JSON, one object a line; argument "json"

	Prompt      string  // text: what to write on from
	Length      int     // text: tokens to write; music: steps to compose
	Temperature float64 // text, music: below 1 bolder in what is likely, above 1 wilder
	Top         int     // text: draw from the likeliest tokens only, argument "top-k"; 0: from all
	Seed        uint64  // of what is drawn
	File        string  // music: the MIDI file to write, argument "output"; "-" is Out
}

// DefaultQuery writes 500 tokens at temperature 0.8 from an empty line.
func DefaultQuery() Query {
	return Query{Prompt: "\n", Length: 500, Temperature: 0.8, Seed: 1}
}

// std is the Input that stands for In.
const std = "-"

// check refuses what cannot be drawn by.
func (q *Query) check() error {
	switch {
	case !(q.Temperature > 0):
		return badArg("temperature", "is %v, expected above 0", q.Temperature)
	case q.Length < 1:
		return badArg("length", "is %d, expected at least 1", q.Length)
	case q.Top < 0:
		return badArg("top-k", "is %d, expected 0 or more", q.Top)
	}
	return nil
}

func (q *Query) log(format string, a ...any) {
	if q.Log != nil {
		fmt.Fprintf(q.Log, format+"\n", a...)
	}
}

// object writes v as a line of JSON.
func (q *Query) object(v any) error {
	e := json.NewEncoder(q.Out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// maxLine bounds a line of input, in bytes.
const maxLine = 1 << 24

// fileEndings are those of files that people have texts in, or give by mistake: a word
// that ends so is no text to be answered, but a file that is not there.
var fileEndings = []string{
	".txt", ".text", ".md", ".csv", ".tsv", ".json", ".jsonl", ".log", ".conll", ".bio", ".dat",
	".parquet", ".xlsx", ".npy", ".npz", ".safetensors", ".onnx", ".keras", ".zip", ".gz", ".pdf", ".html",
	".png", ".jpg", ".jpeg", ".gif", ".svg", ".wav", ".mp3", ".mid",
}

// source is what Input stands for: In for "-" or nothing, a file that is there,
// or else the text itself. A text that can only be meant as a file is an
// ErrArgument.
func (q *Query) source() (r io.ReadCloser, file string, err error) {
	if q.Text {
		return io.NopCloser(strings.NewReader(q.Input)), "", nil
	}
	if q.Input == "" || q.Input == std {
		if q.In == nil {
			return nil, "", badArg("input", "is missing: a text, a file, or lines")
		}
		return io.NopCloser(q.In), "", nil
	}
	if st, err := os.Stat(q.Input); err == nil {
		if st.IsDir() {
			return nil, "", &ArgError{"input", fmt.Sprintf("%q is a folder", q.Input), "give a file or a text, or say %s if it is one", []string{"text"}}
		}
		f, err := os.Open(q.Input)
		if err != nil {
			return nil, "", err
		}
		q.log("%s is read as a file", q.Input)
		return f, q.Input, nil
	}
	_, err = os.Stat(filepath.Dir(q.Input))
	path := strings.HasPrefix(q.Input, "./") || strings.HasPrefix(q.Input, "../") || filepath.IsAbs(q.Input) || strings.ContainsRune(q.Input, filepath.Separator) && err == nil
	if !strings.ContainsAny(q.Input, " \t\n") && (path || slices.Contains(fileEndings, ending(q.Input))) {
		return nil, "", &ArgError{"input", fmt.Sprintf("%q looks like a file, and there is none", q.Input), "say %s if it is a text", []string{"text"}}
	}
	return io.NopCloser(strings.NewReader(q.Input)), "", nil
}

// lines calls answer with each line that is not empty: of Input or the file it
// names, or of In. The answer of a line is written out before the next line is
// waited for.
// ctx ends the waiting too.
func (q *Query) lines(ctx context.Context, answer func(text string) error) error {
	r, file, err := q.source()
	if err != nil {
		return err
	}
	defer r.Close()
	where := "line %d"
	if file != "" {
		where = strings.ReplaceAll(file, "%", "%%") + ":%d"
	}
	in := bufio.NewReaderSize(r, 1<<16)
	next := reader(ctx, in)
	name := q.name(file)
	if file != "" { // what a talker sends is waited for line by line
		begin, _ := in.Peek(text.Begin) // fewer are all there are
		if kind := text.Foreign(begin); kind != "" {
			return data.Fault(name, 0, "it is %s", kind)
		}
	}
	some := false
	for n := 1; ; n++ {
		line, err := next()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf(where+": %w", n, err)
		}
		if n == 1 {
			if kind := text.Foreign([]byte(line + "\n")); kind != "" {
				return data.Fault(name, 0, "it is %s", kind)
			}
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if what := data.NoText([]byte(line)); what != "" {
			return data.Fault(name, n, "%s", what)
		}
		if text := strings.TrimSpace(line); text != "" {
			some = true
			if err := answer(text); err != nil {
				return fmt.Errorf(where+": %w", n, err)
			}
			if in.Buffered() == 0 {
				if err := q.flush(); err != nil {
					return err
				}
			}
		}
		if err == io.EOF {
			break
		}
	}
	if !some {
		return badArg("input", "has no text: give it, or lines on standard input")
	}
	return nil
}

// name is what source read, for messages.
func (q *Query) name(file string) string {
	switch {
	case file != "":
		return file
	case q.Text || q.Input != "" && q.Input != std:
		return "the text"
	}
	return "standard input"
}

// flush hands on what Out keeps, if it keeps anything.
func (q *Query) flush() error {
	if f, ok := q.Out.(interface{ Flush() error }); ok {
		return f.Flush()
	}
	return nil
}

// table reports whether Input is a file of items with columns or keys, not of
// lines of text.
func (q *Query) table() bool {
	if q.Text || !slices.Contains([]string{".csv", ".tsv", ".jsonl"}, ending(q.Input)) {
		return false
	}
	st, err := os.Stat(q.Input)
	return err == nil && st.Mode().IsRegular()
}

// reader returns readLine of in, and ctx's error once that has ended, even while
// in is waited for. What waits then goes on until in gives something.
func reader(ctx context.Context, in *bufio.Reader) func() (string, error) {
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	return func() (string, error) {
		go func() {
			line, err := readLine(in)
			read <- result{line, err}
		}()
		select {
		case r := <-read:
			return r.line, r.err
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// readLine returns a line without its end, or what is there before io.EOF.
func readLine(in *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return "", badArg("input", "has a line of more than %d bytes", maxLine)
		}
		if err != bufio.ErrBufferFull {
			return string(bytes.TrimSuffix(line, []byte("\n"))), err
		}
	}
}

// strange says which of a text's tokens a model has never seen: all of them
// with any, and otherwise only where there is no other token.
func (q *Query) strange(v *data.Vocabulary, what string, tokens []string, any bool) {
	var never []string
	n := 0
	known := v.Index()
	for _, t := range tokens {
		if _, ok := known[t]; ok {
			continue
		}
		if n++; !slices.Contains(never, t) && len(never) < 5 {
			never = append(never, t)
		}
	}
	if n > 0 && (any || n == len(tokens)) {
		q.log("%s: %d of %d %ss are unknown to the model: %q", what, n, len(tokens), v.Level, never)
	}
}
