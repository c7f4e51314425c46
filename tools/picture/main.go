// Command picture runs a session of shell commands and draws it as a terminal,
// an SVG file of text.
//
//	go run -C tools ./picture ../docs/images/train.session
//
// The session has a command a line, or on several that end in a backslash; a line that
// begins with # followed by a number shows so many lines of the command below it at most. The folder is a new one, with
// examples linked into it and unroll, built of these sources, on the path. The
// picture has the session's name, and ending svg.
package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Pixels of a letter and a line, and what stands around them.
const charWidth, lineHeight, margin = 8.43, 20, 16

// columns of the terminal.
const columns = 100

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: picture SESSION")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func run(session string) error {
	root, err := filepath.Abs("..")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(session)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "picture")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Symlink(filepath.Join(root, "examples"), filepath.Join(dir, "examples")); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", dir, "./cmd/unroll")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	lines, err := record(string(text), func(command string) (string, error) {
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "NO_COLOR=1")
		cmd.WaitDelay = time.Second
		out, err := cmd.CombinedOutput()
		return string(out), err
	})
	if err != nil {
		return err
	}
	return os.WriteFile(strings.TrimSuffix(session, filepath.Ext(session))+".svg", draw(lines), 0o644)
}

// record runs the commands of a session and returns what a terminal shows:
// commands begin with "$ ".
func record(session string, shell func(string) (string, error)) (lines []string, err error) {
	most := 1 << 20
	begun := "" // a command whose line goes on
	for line := range strings.Lines(session) {
		line = strings.TrimRight(line, " \r\n")
		if begun += line; strings.HasSuffix(line, "\\") {
			begun += "\n"
			continue
		}
		command := strings.TrimSpace(begun)
		begun = ""
		if n, ok := strings.CutPrefix(command, "#"); ok {
			if most, err = strconv.Atoi(strings.TrimSpace(n)); err != nil {
				return nil, err
			}
			continue
		}
		if command == "" {
			continue
		}
		out, err := shell(command)
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", command, err, out)
		}
		if lines != nil {
			lines = append(lines, "")
		}
		lines = append(lines, strings.Split("$ "+command, "\n")...)
		var shown []string
		if out = strings.TrimRight(out, "\n"); out != "" {
			shown = strings.Split(out, "\n")
		}
		if len(shown) > most {
			shown = append(shown[:most], "...")
		}
		for _, l := range shown {
			lines = append(lines, folded(untab(l))...)
		}
		most = 1 << 20
	}
	return lines, nil
}

// folded breaks a line of more than so many columns, where a terminal would, or at the
// last blank before, so that words stay whole.
func folded(line string) (lines []string) {
	for r := []rune(line); ; {
		if len(r) <= columns {
			return append(lines, string(r))
		}
		at := columns
		for i := columns; i > 0; i-- {
			if r[i] == ' ' {
				at = i
				break
			}
		}
		lines, r = append(lines, string(r[:at])), []rune(strings.TrimLeft(string(r[at:]), " "))
	}
}

// untab puts spaces for tabs, whose stops are eight letters apart.
func untab(line string) string {
	var b []rune
	for _, r := range line {
		if r != '\t' {
			b = append(b, r)
			continue
		}
		for b = append(b, ' '); len(b)%8 != 0; b = append(b, ' ') {
		}
	}
	return string(b)
}

// draw lays lines out as they stand on a terminal.
func draw(lines []string) []byte {
	widest := 0
	for _, l := range lines {
		widest = max(widest, len([]rune(l)))
	}
	w, h := int(float64(widest)*charWidth)+2*margin, len(lines)*lineHeight+2*margin
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14">`+"\n", w, h, w, h)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8" fill="#14181f"/>`+"\n", w, h)
	for i, l := range lines {
		if l == "" {
			continue
		}
		colour := "#d5dae1"
		if strings.HasPrefix(l, "$ ") || i > 0 && strings.HasPrefix(lines[i-1], "$ ") && strings.HasSuffix(lines[i-1], "\\") {
			colour = "#ffb454"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s" xml:space="preserve" textLength="%.1f" lengthAdjust="spacingAndGlyphs">`,
			margin, margin+i*lineHeight+15, colour, float64(len([]rune(l)))*charWidth)
		if err := xml.EscapeText(&b, []byte(l)); err != nil {
			return nil
		}
		b.WriteString("</text>\n")
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
