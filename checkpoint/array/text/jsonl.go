package text

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// Named is a tensor with a name.
type Named[F tensor.Float] struct {
	Name string
	tensor.DenseOf[F]
}

// ReadJSONLines reads JSON Lines (https://jsonlines.org): every line is either
// a number or nested array of numbers, and the lines stacked are one tensor
// called checkpoint.Single; or an object of such values, and each key's values
// stacked are a tensor of that name, in the first line's order. The first
// dimension counts lines; all lines have equal keys and shapes. NaN, Infinity
// and -Infinity are read as Python's json module writes them; null, booleans
// and strings are refused. Empty lines are skipped. Errors name line and byte.
func ReadJSONLines[F tensor.Float](r io.Reader, file string) ([]Named[F], error) {
	l, err := NewLines[F](r, file)
	for err == nil {
		err = l.next()
	}
	if err != io.EOF {
		return nil, err
	}
	all := l.all
	for i := range all.fields {
		f := &all.fields[i]
		f.Shape = append([]int{all.rows}, f.Shape...)
		f.Data = slices.Clip(f.Data)
	}
	return all.fields, nil
}

// Lines reads what ReadJSONLines reads line by line, in memory for one, where every
// line holds one value. It is for one goroutine at a time.
type Lines[F tensor.Float] struct {
	in     *bufio.Reader
	file   string
	number int // of the line read last
	all    lines[F]
	ahead  bool // the first line is read, and was not given yet
}

// NewLines begins to read; errors are those of ReadJSONLines.
func NewLines[F tensor.Float](r io.Reader, file string) (*Lines[F], error) {
	if file == "" {
		file = "jsonl"
	}
	size := 1 << 16
	if held, ok := r.(interface{ Len() int }); ok { // a single line, say
		size = min(size, held.Len())
	}
	in := bufio.NewReaderSize(r, size)
	if bom, err := in.Peek(3); err == nil && string(bom) == "\ufeff" {
		_, _ = in.Discard(3)
	}
	if first, _ := in.Peek(Begin); Foreign(first) != "" {
		return nil, &checkpoint.Error{File: file, Reason: "it is " + Foreign(first)}
	}
	l := &Lines[F]{in: in, file: file, ahead: true}
	err := l.next()
	if err == io.EOF {
		return nil, &checkpoint.Error{File: file, Reason: "there are no lines with numbers"}
	}
	return l, err
}

// Values returns the names and shapes of a line's values; their numbers are the first
// line's.
func (l *Lines[F]) Values() []Named[F] { return l.all.fields }

// Append appends the numbers of the next line to data. It is io.EOF after the last. The
// line has one value: there is one of Values.
func (l *Lines[F]) Append(data []F) ([]F, error) {
	f := &l.all.fields[0]
	if l.ahead {
		l.ahead = false
		return append(data, f.Data...), nil
	}
	f.Data = data
	if err := l.next(); err != nil {
		return data, err
	}
	return f.Data, nil
}

// next reads a line that is not empty after those before.
func (l *Lines[F]) next() error {
	for {
		line, err := l.in.ReadBytes('\n')
		l.number++
		if err != nil && err != io.EOF {
			return &checkpoint.Error{File: l.file, Place: fmt.Sprintf("line %d", l.number), Reason: "reading failed: " + err.Error(), Err: err}
		}
		if p := (&scanner[F]{s: string(line)}); !p.done() {
			if e := l.all.add(p); e != nil {
				return &checkpoint.Error{File: l.file, Place: fmt.Sprintf("line %d, byte %d", l.number, p.at+1), Reason: e.Error()}
			}
			return nil
		}
		if err == io.EOF {
			return err
		}
	}
}

// lines is what was read so far: tensors without their first dimension.
type lines[F tensor.Float] struct {
	rows   int
	object bool
	fields []Named[F]
	seen   []int // how many lines had the field
	index  map[string]int
}

func (l *lines[F]) add(p *scanner[F]) error {
	object := p.accept('{')
	if l.rows > 0 && object != l.object {
		return fmt.Errorf("lines of objects and lines of arrays cannot be mixed")
	}
	l.object = object
	if !object {
		if err := l.value(p, checkpoint.Single, 0); err != nil {
			return err
		}
		return l.end(p, 1)
	}
	seen := 0
	for !p.accept('}') {
		if seen > 0 && !p.accept(',') {
			return p.found("a comma or }")
		}
		key, err := p.key()
		if err != nil {
			return err
		}
		if err := l.value(p, key, seen); err != nil {
			return err
		}
		seen++
	}
	return l.end(p, seen)
}

// value reads the value of a key, the n-th of its line.
func (l *lines[F]) value(p *scanner[F], key string, n int) error {
	at := n // mostly, keys have the same order in every line
	if at >= len(l.fields) || l.fields[at].Name != key {
		var ok bool
		if at, ok = l.index[key]; !ok {
			at = -1
		}
	}
	if at < 0 {
		if l.rows > 0 {
			return fmt.Errorf("the first line has no key %q", short(key))
		}
		if at = len(l.fields); l.index == nil {
			l.index = map[string]int{}
		}
		l.index[key] = at
		l.fields = append(l.fields, Named[F]{Name: key})
		l.seen = append(l.seen, 0)
	}
	f := &l.fields[at]
	if l.seen[at]++; l.seen[at] > l.rows+1 {
		return fmt.Errorf("key %q stands there twice", short(key))
	}
	p.shape, p.fixed = f.Shape, l.rows > 0
	data, err := p.value(f.Data, 0)
	if err != nil {
		return fmt.Errorf("%q: %w", short(key), err)
	}
	f.Shape, f.Data = p.shape, data
	if f.Shape == nil {
		f.Shape = []int{}
	}
	return nil
}

func (l *lines[F]) end(p *scanner[F], keys int) error {
	if keys != len(l.fields) {
		return fmt.Errorf("the line has %d keys, the first one %d", keys, len(l.fields))
	}
	if keys == 0 {
		return fmt.Errorf("the line is empty, expected numbers")
	}
	if !p.done() {
		return p.found("the end of the line")
	}
	l.rows++
	return nil
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// scanner walks one line of JSON.
type scanner[F tensor.Float] struct {
	s     string
	at    int
	shape []int // of the value being read
	fixed bool  // the number of its dimensions is known
}

func (p *scanner[F]) done() bool {
	for p.at < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.at]) >= 0 {
		p.at++
	}
	return p.at == len(p.s)
}

func (p *scanner[F]) accept(c byte) bool {
	if p.done() || p.s[p.at] != c {
		return false
	}
	p.at++
	return true
}

func (p *scanner[F]) found(want string) error {
	if p.done() {
		return fmt.Errorf("the line ends, expected %s", want)
	}
	rest := p.s[p.at:]
	return fmt.Errorf("found %q, expected %s", rest[:min(20, len(rest))], want)
}

// key reads a string and the colon after it.
func (p *scanner[F]) key() (key string, err error) {
	if p.done() || p.s[p.at] != '"' {
		return "", p.found("a key")
	}
	end := p.at + 1
	for end < len(p.s) && p.s[end] != '"' {
		if p.s[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(p.s) || json.Unmarshal([]byte(p.s[p.at:end+1]), &key) != nil {
		return "", p.found("a key that is a JSON string")
	}
	p.at = end + 1
	if !p.accept(':') {
		return "", p.found("a colon")
	}
	return key, nil
}

// value appends a number or the numbers of a nested array at the given depth,
// and checks or finds out the shape.
func (p *scanner[F]) value(data []F, depth int) ([]F, error) {
	if !p.accept('[') {
		if depth != len(p.shape) {
			return nil, fmt.Errorf("a number stands where an array of %d dimensions is expected", len(p.shape)-depth)
		}
		p.fixed = true // no deeper arrays from here on
		return p.number(data)
	}
	if depth == len(p.shape) {
		if p.fixed {
			return nil, fmt.Errorf("an array stands where a number is expected")
		}
		if depth == checkpoint.MaxRank-1 {
			return nil, fmt.Errorf("arrays are nested deeper than %d", checkpoint.MaxRank-1)
		}
		p.shape = append(p.shape, -1) // not known before the array ends
	}
	n := 0
	for !p.accept(']') {
		if n > 0 && !p.accept(',') {
			return nil, p.found("a comma or ]")
		}
		var err error
		if data, err = p.value(data, depth+1); err != nil {
			return nil, err
		}
		n++
	}
	if p.shape[depth] < 0 {
		p.shape[depth] = n
		if n == 0 {
			p.fixed = true // an empty array has nothing deeper
		}
	}
	if n != p.shape[depth] {
		return nil, fmt.Errorf("an array has %d elements, one before it had %d", n, p.shape[depth])
	}
	return data, nil
}

func (p *scanner[F]) number(data []F) ([]F, error) {
	p.done()
	end := p.at
	for end < len(p.s) && strings.IndexByte(",]} \t\r\n", p.s[end]) < 0 {
		end++
	}
	word := p.s[p.at:end]
	ok := word == "NaN" || word == "Infinity" || word == "-Infinity"
	if !ok && word != "" && (word[0] == '-' || word[0] >= '0' && word[0] <= '9') {
		ok = json.Valid([]byte(word))
	}
	v, err := strconv.ParseFloat(word, bits[F]())
	if !ok || err != nil {
		return nil, p.found("a number within range")
	}
	p.at = end
	return append(data, F(v)), nil
}

// WriteJSONLines writes tensors so that ReadJSONLines gives them back: one
// called checkpoint.Single as lines of arrays, others as lines of objects. All
// need at least one dimension and the same first one, the number of lines; it
// is a tensor.ErrShape if they differ.
func WriteJSONLines(w io.Writer, tensors []checkpoint.Tensor) error {
	type column struct {
		key    []byte
		shape  []int
		format func([]byte, int) []byte
	}
	var columns []column
	rows := 0
	for i, t := range tensors {
		if len(t.Shape) == 0 || i > 0 && t.Shape[0] != rows || t.Shape[0] == 0 {
			return &tensor.ShapeError{Arg: strconv.Quote(t.Name), Got: t.Shape, Want: "a first dimension, equal for all tensors, of at least 1: the number of lines; write .npz or .safetensors"}
		}
		rows = t.Shape[0]
		format, err := elements(t)
		if err != nil {
			return err
		}
		key, err := json.Marshal(t.Name)
		if err != nil {
			return err
		}
		columns = append(columns, column{key, t.Shape[1:], format})
	}
	plain := len(tensors) == 1 && tensors[0].Name == checkpoint.Single
	out := bufio.NewWriter(w)
	var b []byte
	for row := range rows {
		b = b[:0]
		for i, c := range columns {
			if !plain {
				b = append(append(append(b, "{,"[min(i, 1)]), c.key...), ':')
			}
			at := row * size(c.shape)
			b = nest(b, c.shape, &at, c.format)
		}
		if !plain {
			b = append(b, '}')
		}
		if _, err := out.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return out.Flush()
}

// nest appends the elements from *at on as nested arrays of the shape.
func nest(b []byte, shape []int, at *int, format func([]byte, int) []byte) []byte {
	if len(shape) == 0 {
		*at++
		return format(b, *at-1)
	}
	b = append(b, '[')
	for i := range shape[0] {
		if i > 0 {
			b = append(b, ',')
		}
		b = nest(b, shape[1:], at, format)
	}
	return append(b, ']')
}
