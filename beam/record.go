package unrollbeam

import (
	"encoding/binary"
	"errors"
	"math"
	"reflect"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
)

// Origin is where something stands in the input: a file and a line or row of it.
type Origin struct {
	Source string
	Place  int64
}

// before is the order of origins.
func (o Origin) before(p Origin) bool {
	return o.Source < p.Source || o.Source == p.Source && o.Place < p.Place
}

// Record is a step of the series that its key names.
type Record struct {
	Key string
	// At is where the record stands in its series: a number, or a moment with its
	// year first. Equal ones are in the order of their origins.
	At string
	Origin
	// X are the numbers of a step, those of the model's inputs one after another.
	X []float32
}

// State is a series at the end of a run, with which the next run goes on. Its
// Origin is the order in which states are written.
type State struct {
	Key string
	Origin
	Steps int64 // also those of runs before
	// Digest is that of the model and its step, without which nobody may go on.
	Digest string
	State  []float32
}

// Series is what the model said to the records of a series, in their order.
type Series struct {
	Key string
	// Origin is the first of those of its records.
	Origin
	At []string
	// Y [len(At), Out], the numbers of the model's outputs one after another.
	Y []float32
}

// Bad is a record that was left out, and why; the records after it are stepped as if
// it were not there.
type Bad struct {
	Key, At string
	Origin
	Reason string
}

func init() {
	beam.RegisterCoder(reflect.TypeFor[Record](), encodeRecord, decodeRecord)
	beam.RegisterCoder(reflect.TypeFor[State](), encodeState, decodeState)
	beam.RegisterCoder(reflect.TypeFor[Series](), encodeSeries, decodeSeries)
	beam.RegisterCoder(reflect.TypeFor[Bad](), encodeBad, decodeBad)
}

func encodeRecord(r Record) []byte {
	b := make([]byte, 0, 32+len(r.Key)+len(r.At)+len(r.Source)+4*len(r.X))
	return appendFloats(appendOrigin(appendText(appendText(b, r.Key), r.At), r.Origin), r.X)
}

func decodeRecord(b []byte) (Record, error) {
	d := decoder{b: b}
	r := Record{Key: d.text(), At: d.text(), Origin: d.origin(), X: d.floats()}
	return r, d.end()
}

func encodeState(s State) []byte {
	b := appendOrigin(appendText(nil, s.Key), s.Origin)
	return appendFloats(appendText(binary.AppendVarint(b, s.Steps), s.Digest), s.State)
}

func decodeState(b []byte) (State, error) {
	d := decoder{b: b}
	s := State{Key: d.text(), Origin: d.origin(), Steps: d.varint(), Digest: d.text(), State: d.floats()}
	return s, d.end()
}

func encodeSeries(s Series) []byte {
	b := make([]byte, 0, 64+len(s.Key)+16*len(s.At)+4*len(s.Y))
	b = binary.AppendUvarint(appendOrigin(appendText(b, s.Key), s.Origin), uint64(len(s.At)))
	for _, at := range s.At {
		b = appendText(b, at)
	}
	return appendFloats(b, s.Y)
}

func decodeSeries(b []byte) (Series, error) {
	d := decoder{b: b}
	s := Series{Key: d.text(), Origin: d.origin()}
	n := d.count(1)
	s.At = make([]string, n)
	for i := range s.At {
		s.At[i] = d.text()
	}
	s.Y = d.floats()
	return s, d.end()
}

func encodeBad(r Bad) []byte {
	return appendText(appendOrigin(appendText(appendText(nil, r.Key), r.At), r.Origin), r.Reason)
}

func decodeBad(b []byte) (Bad, error) {
	d := decoder{b: b}
	r := Bad{Key: d.text(), At: d.text(), Origin: d.origin(), Reason: d.text()}
	return r, d.end()
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendOrigin(b []byte, o Origin) []byte {
	return binary.AppendVarint(appendText(b, o.Source), o.Place)
}

func appendFloats(b []byte, list []float32) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, v := range list {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

var errShort = errors.New("unrollbeam: an encoded element is damaged: it ends too early, or too late")

// decoder reads what append... wrote; after something wrong it gives zeros.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() { d.b, d.bad = nil, true }

func (d *decoder) end() error {
	if d.bad || len(d.b) > 0 {
		return errShort
	}
	return nil
}

// count reads how many things of at least size bytes each follow.
func (d *decoder) count(size int) int {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > uint64(len(d.b)-n)/uint64(size) {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return int(v)
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) text() string {
	n := d.count(1)
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) origin() Origin { return Origin{Source: d.text(), Place: d.varint()} }

func (d *decoder) floats() []float32 {
	list := make([]float32, d.count(4))
	for i := range list {
		list[i] = math.Float32frombits(binary.LittleEndian.Uint32(d.b[4*i:]))
	}
	d.b = d.b[4*len(list):]
	return list
}
