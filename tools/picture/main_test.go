package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestSessionIsShownAsATerminalShowsIt(t *testing.T) {
	lines, err := record("echo <a>\n# 2\ncount\n", func(c string) (string, error) {
		if c == "count" {
			return "1\t2\n2\n3\n", nil
		}
		return "<a>\n", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(lines, "|"), "$ echo <a>|<a>||$ count|1       2|2|..."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	d := xml.NewDecoder(strings.NewReader(string(draw(lines))))
	var text []string
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := tok.(xml.CharData); ok && strings.TrimSpace(string(c)) != "" {
			text = append(text, string(c))
		}
	}
	if got, want := strings.Join(text, "|"), "$ echo <a>|<a>|$ count|1       2|2|..."; got != want {
		t.Errorf("the picture has %q, want %q", got, want)
	}
}

// A command may go on on the next line, and a long line of its output is folded.
func TestLongLines(t *testing.T) {
	ran := ""
	lines, err := record("# 1\na \\\n    --b\n", func(c string) (string, error) {
		ran = c
		return strings.Repeat("x", columns-1) + " yy\nmore\n", nil
	})
	if want := "$ a \\|    --b|" + strings.Repeat("x", columns-1) + "|yy|..."; err != nil || ran != "a \\\n    --b" || strings.Join(lines, "|") != want {
		t.Errorf("ran %q, got %q, %v", ran, lines, err)
	}
	if n := strings.Count(string(draw(lines)), "#ffb454"); n != 2 {
		t.Errorf("%d lines have the colour of a command, want 2", n)
	}
}

func TestFailedCommandIsNoPicture(t *testing.T) {
	if _, err := record("x\n", func(string) (string, error) { return "no x", errors.New("exit 1") }); err == nil {
		t.Error("a command that failed was drawn")
	}
}
