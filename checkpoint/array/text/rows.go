package text

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Dialect says how a file of separated values is written. What is not said is
// found in the first lines.
type Dialect struct {
	Comma   rune // between columns; 0: found, a tab, a semicolon, a bar or a comma
	Decimal rune // '.' or ','; 0: found
	// Spaces at the beginning of a field belong to it. They are left out
	// otherwise, and may then stand before a quote.
	Spaces bool
	Header Header
}

// Header says whether the first line holds names.
type Header int

// The first line holds names if none of its fields is a number, or if they
// count 0, 1, 2, ... as pandas names columns (HeaderAuto); always, or never.
const (
	HeaderAuto Header = iota
	HeaderYes
	HeaderNo
)

const (
	// MaxColumns bounds the fields of a row: encoding/csv keeps 40 bytes a field.
	MaxColumns = 1 << 16
	// sampled is how many bytes of a file say how it is written.
	sampled = 1 << 15
	// sampledRows is how many of the first rows do.
	sampledRows = 200
)

// Rows reads separated values, row by row, with encoding/csv below: fields may
// stand in double quotes. A byte order mark, lines that begin with # before the
// first row, and a line sep=; as Excel writes it are skipped. Lines may end with a
// carriage return alone. Not safe for use by several goroutines at once.
type Rows struct {
	file    string
	in      *csv.Reader
	comma   rune
	spaces  bool
	decimal rune       // 0: either, not to be told
	sample  [][]string // the first rows
	ahead   []string   // a row that was read already, with
	err     error      // what came of it
	skipped int        // lines before the first row
	notes   []string
}

// NewRows begins to read; file is its name, for the notes. Errors are r's.
func NewRows(r io.Reader, file string, d Dialect) (*Rows, error) {
	rows := &Rows{file: file, comma: d.Comma, decimal: d.Decimal, spaces: d.Spaces}
	b := bufio.NewReaderSize(r, sampled)
	if bom, err := b.Peek(3); err == nil && bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		_, _ = b.Discard(3)
	}
	if first, _ := b.Peek(Begin); Foreign(first) != "" {
		return nil, &checkpoint.Error{Reason: "it is " + Foreign(first)}
	}
	if first, _ := b.Peek(sampled); bytes.IndexByte(first, '\n') < 0 && bytes.IndexByte(first, '\r') >= 0 {
		b = bufio.NewReaderSize(returns{b}, sampled)
		rows.notes = append(rows.notes, file+": lines end with a carriage return alone")
	}
	if err := rows.skipComments(b); err != nil {
		return nil, err
	}
	if err := rows.skipSep(b); err != nil {
		return nil, err
	}
	head, err := b.Peek(sampled)
	if err != nil && err != io.EOF {
		return nil, err
	}
	head, whole := bytes.Clone(head), err == io.EOF
	if rows.comma == 0 {
		if rows.comma = separator(head, whole); rows.comma != ',' && len(head) > 0 {
			rows.notes = append(rows.notes, fmt.Sprintf("%s: columns are separated by %s", file, separatorNames[rows.comma]))
		}
	}
	rows.in = rows.reader(&narrow{r: b, comma: byte(rows.comma)})
	rows.look(head, whole)
	if len(rows.sample) == 0 && len(head) > 0 { // the first row is longer, or wrong
		if rows.ahead, rows.err = rows.in.Read(); rows.err == nil {
			rows.ahead = slices.Clone(rows.ahead)
			rows.sample = [][]string{rows.ahead}
		}
	}
	if rows.decimal == 0 {
		rows.findDecimal()
	}
	return rows, nil
}

var separatorNames = map[rune]string{',': "commas", ';': "semicolons", '\t': "tabs", '|': "bars"}

// returns turns carriage returns into line feeds.
type returns struct{ r io.Reader }

func (c returns) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for i, b := range p[:n] {
		if b == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}

var sepLine = regexp.MustCompile(`^(?i:"?sep=([^"\r\n])"?)\r?\n`)

// skipSep reads a first line such as sep=; which tells Excel, and it writes, what
// stands between columns. What the caller says goes before it.
func (r *Rows) skipSep(b *bufio.Reader) error {
	line, err := b.Peek(12)
	if err != nil && err != io.EOF {
		return err
	}
	m := sepLine.FindSubmatch(line)
	if m == nil || m[1][0] >= 0x80 {
		return nil
	}
	if r.comma == 0 {
		r.comma = rune(m[1][0])
		r.notes = append(r.notes, fmt.Sprintf("%s: line %d says that columns are separated by %q", r.file, 1+r.skipped, r.comma))
	}
	r.skipped++
	_, err = b.Discard(len(m[0]))
	return err
}

func (r *Rows) reader(in io.Reader) *csv.Reader {
	c := csv.NewReader(in)
	c.Comma, c.ReuseRecord = r.comma, true
	c.TrimLeadingSpace = !r.spaces && c.Comma != '\t' // or an empty field would vanish
	return c
}

// skipComments reads lines that begin with #.
func (r *Rows) skipComments(b *bufio.Reader) error {
	for {
		if c, err := b.Peek(1); err != nil || c[0] != '#' {
			break
		}
		r.skipped++
		for {
			_, more, err := b.ReadLine()
			if err != nil && err != io.EOF {
				return err
			}
			if !more || err != nil {
				break
			}
		}
	}
	if r.skipped > 0 {
		r.notes = append(r.notes, fmt.Sprintf("%s: skipped %s before the first row that begin with #", r.file, counted(r.skipped, "line")))
	}
	return nil
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// separator finds what stands between columns: of tab, semicolon, bar and comma
// the first that every row has equally often; failing that, the most frequent one
// of the first row.
func separator(head []byte, whole bool) rune {
	candidates := []byte{'\t', ';', '|', ','}
	var first, now [4]int
	same := [4]bool{true, true, true, true}
	rows, quoted, empty := 0, false, true
	end := func() {
		if empty {
			return
		}
		for i := range now {
			if rows == 0 {
				first[i] = now[i]
			}
			same[i] = same[i] && now[i] == first[i] && now[i] > 0
		}
		rows++
		now, empty = [4]int{}, true
	}
	for _, c := range head {
		if c == '"' {
			quoted = !quoted
		}
		if quoted {
			continue
		}
		if c == '\n' {
			if end(); rows == sampledRows {
				break
			}
			continue
		}
		empty = empty && c == '\r'
		if i := bytes.IndexByte(candidates, c); i >= 0 {
			now[i]++
		}
	}
	if whole && !quoted || rows == 0 {
		end() // a last row without a line end
	}
	for i, c := range candidates {
		if same[i] {
			return rune(c)
		}
	}
	most := 3
	for i := range candidates {
		if first[i] > first[most] {
			most = i
		}
	}
	return rune(candidates[most])
}

// look keeps the first rows of head; the last may be cut off unless head is the
// whole file.
func (r *Rows) look(head []byte, whole bool) {
	in := r.reader(&narrow{r: bytes.NewReader(head), comma: byte(r.comma)})
	in.ReuseRecord = false
	for len(r.sample) < sampledRows {
		row, err := in.Read()
		if err != nil {
			break // what is wrong is said by Read
		}
		r.sample = append(r.sample, row)
	}
	if n := len(r.sample); !whole && n > 0 && n < sampledRows {
		r.sample = r.sample[:n-1]
	}
}

var (
	withComma = regexp.MustCompile(`^[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?$`)
	grouped   = regexp.MustCompile(`^[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+$`)
	withDot   = regexp.MustCompile(`^[+-]?[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?$`)
)

// findDecimal takes a comma for the decimal sign if numbers have one, none has a
// dot, and not all could be thousands.
func (r *Rows) findDecimal() {
	commas, thousands := 0, 0
	r.decimal = '.'
	for _, row := range r.sample {
		for _, f := range row {
			f = strings.TrimSpace(f)
			switch {
			case grouped.MatchString(f):
				thousands++
			case withComma.MatchString(f):
				commas++
			case withDot.MatchString(f):
				return
			}
		}
	}
	switch {
	case commas > 0:
		r.decimal = ','
		r.notes = append(r.notes, r.file+": the decimal sign is a comma")
	case thousands > 0:
		r.decimal = 0
	}
}

// Notes are what was found out about the file, a sentence each.
func (r *Rows) Notes() []string { return r.notes }

// Sample returns up to 200 of the first rows, among them what Read returns
// first. It is not to be changed.
func (r *Rows) Sample() [][]string { return r.sample }

// Read returns the next row, in memory that the next Read reuses, or io.EOF.
// All rows have as many fields as the first. Errors are a *csv.ParseError with
// the file's line, an ErrFormat for too many columns, or the reader's.
func (r *Rows) Read() ([]string, error) {
	row, err := r.ahead, r.err
	if r.ahead, r.err = nil, nil; row == nil && err == nil {
		row, err = r.in.Read()
	}
	if e := (*csv.ParseError)(nil); r.skipped > 0 && errors.As(err, &e) {
		moved := *e
		moved.StartLine, moved.Line = e.StartLine+r.skipped, e.Line+r.skipped
		err = &moved
	}
	return row, err
}

// Line is the line on which a field of the last row begins.
func (r *Rows) Line(field int) int {
	line, _ := r.in.FieldPos(field)
	return line + r.skipped
}

// Float reads a field as a number of the given bits, with the file's decimal
// sign. It is strconv's ErrSyntax or ErrRange, or says that a comma may be a
// decimal sign or one between thousands.
func (r *Rows) Float(field string, bits int) (float64, error) {
	field = strings.TrimSpace(field)
	switch r.decimal {
	case ',':
		if strings.ContainsRune(field, '.') {
			return 0, fmt.Errorf("%q has a dot, and the decimal sign of the file is a comma: %w", short(field), strconv.ErrSyntax)
		}
		field = strings.Replace(field, ",", ".", 1)
	case 0:
		if grouped.MatchString(field) {
			return 0, fmt.Errorf("%q is a number with a decimal comma, or one with a comma between thousands: %w", short(field), ErrDecimal)
		}
	}
	return strconv.ParseFloat(field, bits)
}

// ErrDecimal is the kind of error for a number whose decimal sign the file does
// not tell: say Dialect.Decimal.
var ErrDecimal = errors.New("text: the decimal sign is not known")

// number reports whether a field is one, however large.
func (r *Rows) number(field string) bool {
	_, err := r.Float(field, 64)
	return err == nil || errors.Is(err, strconv.ErrRange) || errors.Is(err, ErrDecimal)
}

// Numbers reports whether every field is a number.
func (r *Rows) Numbers(row []string) bool {
	for _, f := range row {
		if !r.number(f) {
			return false
		}
	}
	return len(row) > 0
}

// AnyNumber reports whether a field is a number.
func (r *Rows) AnyNumber(row []string) bool { return slices.ContainsFunc(row, r.number) }

// Found returns how the file is written, as far as it was said or found.
func (r *Rows) Found() (comma, decimal rune) { return r.comma, r.decimal }

// Counts reports whether a row is 0, 1, 2, ..., at least 0 and 1, perhaps after
// an empty field: what pandas writes where columns have no names.
func Counts(row []string) bool {
	if len(row) > 0 && strings.TrimSpace(row[0]) == "" {
		row = row[1:]
	}
	for i, f := range row {
		if strings.TrimSpace(f) != strconv.Itoa(i) {
			return false
		}
	}
	return len(row) > 1
}

// Index reports whether the first column has no name and counts the rows: the
// index that pandas writes beside the columns unless it is told not to.
func (r *Rows) Index() bool {
	if len(r.sample) < 2 || len(r.sample[0]) < 2 || strings.TrimSpace(r.sample[0][0]) != "" {
		return false
	}
	first, err := strconv.Atoi(strings.TrimSpace(r.sample[1][0]))
	for i, row := range r.sample[1:] {
		if err != nil || strings.TrimSpace(row[0]) != strconv.Itoa(first+i) {
			return false
		}
	}
	return true
}

// IndexNote says that a file's Index is left out.
func IndexNote(file string) string {
	return file + ": column 1 has no name and counts the rows, as pandas writes an index: it is left out"
}

// wholes reports whether every field is written as a whole number.
func wholes(row []string) bool {
	for _, f := range row {
		if _, err := strconv.Atoi(strings.TrimSpace(f)); err != nil {
			return false
		}
	}
	return true
}

// header decides whether the first row of a matrix of numbers holds names, and
// puts into the notes what the numbers in it were taken for.
func (r *Rows) header(h Header) bool {
	if h != HeaderAuto || len(r.sample) == 0 {
		return h == HeaderYes
	}
	first, below := r.sample[0], r.sample[1:]
	numbers := 0
	for _, f := range first {
		if r.number(f) {
			numbers++
		}
	}
	if numbers == 0 {
		return true
	}
	fractions := false
	for _, row := range below {
		fractions = fractions || !wholes(row)
	}
	switch {
	case len(below) > 0 && Counts(first) && (fractions || len(first) > 2):
		r.notes = append(r.notes, fmt.Sprintf("%s: line %d counts 0, 1, ... and is taken as names, as pandas writes them; --no-header if it is numbers", r.file, 1+r.skipped))
		return true
	case fractions && wholes(first):
		r.notes = append(r.notes, fmt.Sprintf("%s: line %d holds whole numbers and is taken as numbers; --header if it is names", r.file, 1+r.skipped))
	}
	return false
}

// broken puts a fault of the file itself into words.
func (r *Rows) broken(err error) error {
	e := (*csv.ParseError)(nil)
	if !errors.As(err, &e) {
		var own *checkpoint.Error
		if errors.As(err, &own) {
			own.File = r.file
			return own
		}
		return &checkpoint.Error{File: r.file, Reason: "reading failed: " + err.Error(), Err: err}
	}
	reason := e.Err.Error()
	if errors.Is(err, csv.ErrFieldCount) {
		reason = "this row has another number of columns than the first"
	}
	return &checkpoint.Error{File: r.file, Place: fmt.Sprintf("line %d", e.Line), Reason: reason}
}

// narrow ends reading at a row of more than MaxColumns fields, which encoding/csv
// would take much memory for.
type narrow struct {
	r      io.Reader
	comma  byte
	quoted bool
	fields int
}

func (n *narrow) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	for _, c := range p[:k] {
		switch {
		case c == '"':
			n.quoted = !n.quoted
		case n.quoted:
		case c == '\n':
			n.fields = 0
		case c == n.comma:
			if n.fields++; n.fields >= MaxColumns {
				return 0, &checkpoint.Error{Reason: fmt.Sprintf("a row has more than %d columns", MaxColumns)}
			}
		}
	}
	return k, err
}
