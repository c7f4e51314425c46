package data

import (
	"bytes"
	"encoding/json"
)

// maxKeys bounds the keys of a piano roll.
const maxKeys = 4096

// Rolls is a file of piano rolls: {"dim":88,"train":[...],"valid":[...],
// "test":[...]}; a piece is a list of steps, a step the list of its sounding
// keys, 0 to dim-1.
type Rolls struct {
	Dim   int       `json:"dim"`
	Train [][][]int `json:"train"`
	Valid [][][]int `json:"valid"`
	Test  [][][]int `json:"test"`
}

// ReadRolls reads and checks a file of piano rolls.
func ReadRolls(f File) (r Rolls, err error) {
	path := f.Name()
	b, err := readText(f)
	if err != nil {
		return r, err
	}
	if at := nullAt(b); at >= 0 {
		return r, Fault(path, 1+bytes.Count(b[:at], []byte("\n")), "null has no value: give the keys of every step, [] where none sounds")
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, Fault(path, jsonLine(b, err), "%v; expected {\"dim\":88,\"train\":[[[60,64],...],...],\"valid\":...,\"test\":...}", err)
	}
	if r.Dim < 1 || r.Dim > maxKeys {
		return r, Fault(path, 0, `"dim" is %d, expected the number of keys, 1 to %d`, r.Dim, maxKeys)
	}
	for name, part := range map[string][][][]int{"train": r.Train, "valid": r.Valid, "test": r.Test} {
		if len(part) == 0 && name != "test" {
			return r, Fault(path, 0, "%q has no pieces", name)
		}
		for p, piece := range part {
			if len(piece) < 2 {
				return r, Fault(path, 0, "%s piece %d has %d steps, at least 2 are needed to predict one", name, p, len(piece))
			}
			for s, step := range piece {
				for _, k := range step {
					if k < 0 || k >= r.Dim {
						return r, Fault(path, 0, "%s piece %d step %d has key %d, expected 0 to %d", name, p, s, k, r.Dim-1)
					}
				}
			}
		}
	}
	return r, nil
}

// nullAt is where null stands in JSON outside of strings, -1 if nowhere.
func nullAt(b []byte) int {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '\\' && quoted:
			i++
		case b[i] == '"':
			quoted = !quoted
		case !quoted && bytes.HasPrefix(b[i:], []byte("null")):
			return i
		}
	}
	return -1
}

// jsonLine returns the line a JSON error speaks of.
func jsonLine(b []byte, err error) int {
	at := int64(0)
	switch e := err.(type) {
	case *json.SyntaxError:
		at = e.Offset
	case *json.UnmarshalTypeError:
		at = e.Offset
	}
	line := 1
	for _, c := range b[:min(max(at, 0), int64(len(b)))] {
		if c == '\n' {
			line++
		}
	}
	return line
}
