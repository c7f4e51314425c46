package chain

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What a line may have; compared before anything of that size is made.
const (
	maxText    = 1 << 16 // bytes
	maxSteps   = 1 << 12 // in all pipes
	maxNesting = 4       // tuples in tuples
	maxItems   = 64      // arguments, and elements of a tuple
	maxName    = 1 << 10 // bytes of a name or string
)

// Parse reads a line. Its errors are an *Error, ErrSyntax.
func Parse(text string) (*Chain, error) {
	p := &parser{text: text}
	if len(text) > maxText {
		p.text = text[:maxName]
		return nil, p.fail(0, "it has %d bytes, at most %d are read", len(text), maxText)
	}
	if !utf8.ValidString(text) {
		return nil, p.fail(0, "it is not UTF-8")
	}
	return p.chain()
}

// parser walks over a line; at is the next byte.
type parser struct {
	text  string
	at    int
	steps int
}

func (p *parser) fail(pos int, format string, a ...any) error {
	return &Error{Text: p.text, Pos: pos, Reason: fmt.Sprintf(format, a...), Err: ErrSyntax}
}

// expected makes the error that something else stands here.
func (p *parser) expected(what string) error {
	p.space()
	return p.fail(p.at, "expected %s, not %s", what, p.here())
}

// here describes what stands at the next byte.
func (p *parser) here() string {
	if p.at >= len(p.text) {
		return "the end of the line"
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return fmt.Sprintf("%q", r)
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// peek returns the next byte that is no space; 0 at the end.
func (p *parser) peek() byte {
	p.space()
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// take steps over c if it is next.
func (p *parser) take(c byte) bool {
	if p.peek() != c || c == 0 {
		return false
	}
	p.at++
	return true
}

// chain reads statements: "NAME = pipe" each, then the results.
func (p *parser) chain() (*Chain, error) {
	c := &Chain{text: p.text}
	for {
		name, pos := p.assigned()
		list, err := p.list(name, pos)
		if err != nil {
			return nil, err
		}
		more := p.take(';')
		if end := p.peek() == 0 && p.at >= len(p.text); !more && !end {
			return nil, p.expected("'|', ';' or the end")
		} else if !end {
			if name == "" {
				return nil, p.fail(pos, "this value is not the last and has no name; write NAME = before it, or '|' before what follows")
			}
			c.pipes = append(c.pipes, list[0])
			continue
		}
		if name != "" {
			return nil, p.fail(p.at, "the last value has a name (%s) and is no result; end with what is returned, such as: %s", name, name)
		}
		c.results = list
		return c, nil
	}
}

// list is one pipe, or for the results several with commas between.
func (p *parser) list(name string, pos int) ([]pipe, error) {
	var list []pipe
	for {
		steps, err := p.pipe()
		if err != nil {
			return nil, err
		}
		list = append(list, pipe{name: name, pos: pos, steps: steps})
		if name != "" || !p.take(',') {
			return list, nil
		}
		if len(list) == maxItems {
			return nil, p.fail(p.at, "there are more than %d results", maxItems)
		}
	}
}

// assigned reads "NAME =" if that is next.
func (p *parser) assigned() (string, int) {
	p.space()
	start := p.at
	name := p.word()
	if name != "" && isName(name) && p.peek() == '=' {
		p.at++
		return name, start
	}
	p.at = start
	return "", start
}

// isName reports whether a word can name a value.
func isName(s string) bool {
	return s != "" && !strings.ContainsAny(s, "./-") && (s[0] < '0' || s[0] > '9') && s != "None" && s != "True" && s != "False"
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// word reads a name: letters, digits and "_", joined by ".", "/" or "-"; empty
// if none is next.
func (p *parser) word() string {
	p.space()
	start := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		joint := (c == '.' || c == '/' || c == '-') && p.at > start && p.at+1 < len(p.text) && isWord(p.text[p.at+1])
		if !isWord(c) && !joint {
			break
		}
		p.at++
	}
	return p.text[start:p.at]
}

func (p *parser) pipe() ([]step, error) {
	var steps []step
	for {
		if p.steps++; p.steps > maxSteps {
			return nil, p.fail(p.at, "there are more than %d steps", maxSteps)
		}
		s, err := p.step()
		if err != nil {
			return nil, err
		}
		steps = append(steps, s)
		if !p.take('|') {
			return steps, nil
		}
	}
}

func (p *parser) step() (s step, err error) {
	c := p.peek()
	s.pos = p.at
	switch {
	case c == '\'' || c == '"':
		s.quoted = true
		if s.name, err = p.string(); err != nil {
			return s, err
		}
	case c == '[':
	default:
		if s.name = p.word(); s.name == "" {
			return s, p.expected("a module, a function or a value")
		}
	}
	if len(s.name) > maxName {
		return s, p.fail(s.pos, "a name has %d bytes, at most %d are read", len(s.name), maxName)
	}
	if (s.name != "" || s.quoted) && p.take('(') {
		s.called = true
		if s.args, err = p.args(); err != nil {
			return s, err
		}
	}
	if p.take('[') {
		s.index, err = p.index()
	}
	return s, err
}

// args reads arguments and the closing parenthesis.
func (p *parser) args() ([]arg, error) {
	var args []arg
	seen := map[string]bool{}
	for !p.take(')') {
		if len(args) > 0 && !p.take(',') {
			return nil, p.expected("',' or ')'")
		}
		if len(args) > 0 && p.take(')') {
			break
		}
		if len(args) == maxItems {
			return nil, p.fail(p.at, "there are more than %d arguments", maxItems)
		}
		var a arg
		a.name, a.pos = p.assigned()
		if a.name != "" && seen[a.name] {
			return nil, p.fail(a.pos, "the argument %s is there twice", a.name)
		}
		if a.name == "" && len(seen) > 0 {
			return nil, p.fail(a.pos, "an argument without a name follows one with a name")
		}
		if a.name != "" {
			seen[a.name] = true
		}
		var err error
		if a.value, err = p.value(0); err != nil {
			return nil, err
		}
		args = append(args, a)
	}
	return args, nil
}

// value reads a number, string, constant of Python, tuple, list or name.
func (p *parser) value(depth int) (any, error) {
	switch c := p.peek(); {
	case c == '(' || c == '[':
		return p.tuple(depth)
	case c == '\'' || c == '"':
		return p.string()
	case c == '-' || c == '+' || c == '.' || c >= '0' && c <= '9':
		return p.number()
	}
	start := p.at
	switch word := p.word(); {
	case word == "None":
		return nil, nil //nolint:nilnil // None is the value
	case word == "True" || word == "False":
		return word == "True", nil
	case isName(word):
		return ref(word), nil
	}
	p.at = start
	return nil, p.expected("a number, a string, True, False, None, a tuple or the name of a value")
}

func (p *parser) tuple(depth int) (any, error) {
	open := p.at
	end := byte(')')
	if p.text[p.at] == '[' {
		end = ']'
	}
	if depth == maxNesting {
		return nil, p.fail(p.at, "tuples are nested more than %d deep", maxNesting)
	}
	p.at++
	list, comma := []any{}, end == ']'
	for !p.take(end) {
		if len(list) > 0 {
			if !p.take(',') {
				return nil, p.expected(fmt.Sprintf("',' or '%c'", end))
			}
			comma = true
			if p.take(end) {
				break
			}
		}
		if len(list) == maxItems {
			return nil, p.fail(open, "a tuple has more than %d elements", maxItems)
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	if len(list) == 1 && !comma { // (2) is 2
		return list[0], nil
	}
	return list, nil
}

func (p *parser) string() (string, error) {
	open := p.at
	end := p.text[p.at]
	p.at++
	var b strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		switch {
		case c == end:
			return b.String(), nil
		case c == '\\' && p.at < len(p.text) && strings.IndexByte(`\'"`, p.text[p.at]) >= 0:
			c = p.text[p.at]
			p.at++
		case c == '\\':
			return "", p.fail(p.at-1, `after \ in a string expected \, ' or "`)
		}
		if b.Len() == maxName {
			return "", p.fail(open, "a string has more than %d bytes", maxName)
		}
		b.WriteByte(c)
	}
	return "", p.fail(open, "a string that begins here does not end")
}

func (p *parser) number() (any, error) {
	p.space()
	start := p.at
	for p.at < len(p.text) && (strings.IndexByte("+-._", p.text[p.at]) >= 0 || isWord(p.text[p.at])) {
		if c := p.text[p.at]; (c == '+' || c == '-') && p.at > start && p.text[p.at-1] != 'e' && p.text[p.at-1] != 'E' {
			break
		}
		p.at++
	}
	s := strings.TrimPrefix(p.text[start:p.at], "+")
	if i, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64); err == nil {
		return i, nil
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) || strings.ContainsAny(s, "xXpP_") {
		return nil, p.fail(start, "%.40q is not a number", p.text[start:p.at])
	}
	return x, nil
}

// index reads the parts of an index and the closing bracket.
func (p *parser) index() ([]item, error) {
	var list []item
	for !p.take(']') {
		if len(list) > 0 && !p.take(',') {
			return nil, p.expected("',' or ']'")
		}
		if len(list) > 0 && p.take(']') {
			break
		}
		if len(list) == maxItems {
			return nil, p.fail(p.at, "an index has more than %d parts", maxItems)
		}
		it, err := p.item()
		if err != nil {
			return nil, err
		}
		list = append(list, it)
	}
	if list == nil {
		return nil, p.fail(p.at-1, "an index is empty")
	}
	return list, nil
}

func (p *parser) item() (it item, err error) {
	it = item{kind: 'i', step: 1}
	p.space()
	if strings.HasPrefix(p.text[p.at:], "...") {
		p.at += 3
		it.kind = '.'
		return it, nil
	}
	if c := p.peek(); c != ':' {
		if start := p.at; p.word() == "None" {
			it.kind = 'n'
			return it, nil
		} else {
			p.at = start
		}
		n, err := p.whole()
		if err != nil || p.peek() != ':' {
			it.index = n
			return it, err
		}
		it.start = &n
	}
	it.kind = ':'
	p.take(':')
	if c := p.peek(); c != ':' && c != ',' && c != ']' {
		n, err := p.whole()
		if err != nil {
			return it, err
		}
		it.end = &n
	}
	if p.take(':') {
		if c := p.peek(); c != ',' && c != ']' {
			at := p.at
			if it.step, err = p.whole(); err == nil && it.step < 1 {
				return it, p.fail(at, "a slice has step %d, expected at least 1, as torch does; flip(dims) turns an axis around", it.step)
			}
		}
	}
	return it, err
}

func (p *parser) whole() (int64, error) {
	p.space()
	at := p.at
	if c := p.peek(); c != '-' && c != '+' && (c < '0' || c > '9') {
		return 0, p.expected("a whole number or ':'")
	}
	v, err := p.number()
	if err != nil {
		return 0, err
	}
	n, ok := v.(int64)
	if !ok {
		return 0, p.fail(at, "%s is not a whole number", literal(v))
	}
	return n, nil
}
