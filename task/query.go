package task

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Query is a question to a model, in the words of all tasks.
type Query struct {
	// Input is the text or the file the answer is about; "-" is In.
	Input string
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

// lines calls answer with each line that is not empty: of Input itself, or of
// In if it is "-" or nothing.
func (q *Query) lines(answer func(text string) error) error {
	var r io.Reader = strings.NewReader(q.Input)
	if q.Input == "" || q.Input == std {
		r = q.In
	}
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	n := 0
	for s.Scan() {
		text := strings.TrimSpace(s.Text())
		if text == "" {
			continue
		}
		n++
		if err := answer(text); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	if n == 0 {
		return badArg("input", "has no text: give it, or lines on standard input")
	}
	return nil
}
