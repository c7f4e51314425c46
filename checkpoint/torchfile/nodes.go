package torchfile

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// What the machine builds from a pickle. Leaves are none, bool, int64,
// *big.Int, float64, complex128, string and pyBytes; all of them and the
// pointers below are comparable, so that any of them can be looked up.

// none is Python's None. Go's nil stands for "nothing", a free memo place.
type none struct{}

// pyBytes is Python's bytes and bytearray.
type pyBytes string

// global is a name the pickle refers to: a class, function, dtype.
type global struct{ module, name string }

func (g *global) String() string { return g.module + "." + g.name }

type tuple struct{ items []any }

type list struct{ items []any }

// set is set and frozenset; only a frozen one can be a key.
type set struct {
	items  []any
	frozen bool
}

// dict is dict, OrderedDict, defaultdict and Counter: entries in the file's
// order, keys unique.
type dict struct {
	entries []entry
	index   map[any]int // key to position; nil while there are few
}

type entry struct{ key, value any }

const fewEntries = 8

func (d *dict) find(key any) int {
	if d.index != nil {
		if i, ok := d.index[key]; ok {
			return i
		}
		return -1
	}
	for i, e := range d.entries {
		if e.key == key {
			return i
		}
	}
	return -1
}

// get returns the value under a string key, nil if there is none.
func (d *dict) get(key string) any {
	if i := d.find(key); i >= 0 {
		return d.entries[i].value
	}
	return nil
}

// add appends an entry whose key is not there yet.
func (d *dict) add(key, value any) {
	if len(d.entries) >= fewEntries {
		if d.index == nil {
			d.index = make(map[any]int, 2*fewEntries)
			for i, e := range d.entries {
				d.index[e.key] = i
			}
		}
		d.index[key] = len(d.entries)
	}
	d.entries = append(d.entries, entry{key, value})
}

// object is an instance of a class this package does not know: what it was
// made with, and the state and items it was given afterwards.
type object struct {
	class *global
	args  []any
	state any // nil: none given
	items *dict
	elems []any
}

var emptyTuple = &tuple{}

// hashable reports whether Python takes v as a dictionary key.
func hashable(v any) bool {
	switch v := v.(type) {
	case *list, *dict:
		return false
	case *set:
		return v.frozen
	}
	return true
}

// asInt returns v if it is an integer that fits.
func asInt(v any) (int64, bool) {
	i, ok := v.(int64)
	return i, ok
}

// asInts returns the integers of a tuple or list.
func asInts(v any) ([]int64, bool) {
	items, ok := items(v)
	if !ok {
		return nil, false
	}
	out := make([]int64, len(items))
	for i, x := range items {
		if out[i], ok = asInt(x); !ok {
			return nil, false
		}
	}
	return out, true
}

// items returns the elements of a tuple, list or set.
func items(v any) ([]any, bool) {
	switch v := v.(type) {
	case *tuple:
		return v.items, true
	case *list:
		return v.items, true
	case *set:
		return v.items, true
	}
	return nil, false
}

// kind names v's type for a message.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case none:
		return "None"
	case bool:
		return "a bool"
	case int64, *big.Int:
		return "an int"
	case float64:
		return "a float"
	case complex128:
		return "a complex number"
	case string:
		return "a str"
	case pyBytes:
		return "bytes"
	case *global:
		return "the name " + v.String()
	case *tuple:
		return "a tuple"
	case *list:
		return "a list"
	case *set:
		return "a set"
	case *dict:
		return "a dict"
	case *object:
		return "an object of class " + v.class.String()
	case *storage:
		return "a storage"
	case *stored:
		return "a tensor"
	}
	return fmt.Sprintf("a %T", v)
}

// keyText is a dictionary key as a part of a path, Python's str of it; false
// if it has none that is short.
func keyText(v any, depth int) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case int64:
		return strconv.FormatInt(v, 10), true
	case *big.Int:
		if v.BitLen() > 512 {
			return "", false
		}
		return v.String(), true
	case bool:
		if v {
			return "True", true
		}
		return "False", true
	case none:
		return "None", true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	case pyBytes:
		return strconv.Quote(string(v)), len(v) <= maxKeyText
	case *global:
		return v.String(), true
	case *tuple:
		s, ok := keyTexts(v.items, depth)
		return "(" + s + ")", ok
	case *set:
		s, ok := keyTexts(v.items, depth)
		return "{" + s + "}", ok
	}
	return "", false
}

// keyTexts joins the texts of a key's parts; false if one has none or they are
// long together.
func keyTexts(items []any, depth int) (string, bool) {
	if depth == 0 || len(items) > maxKeyText {
		return "", false
	}
	parts := make([]string, len(items))
	n := 0
	for i, x := range items {
		var ok bool
		if parts[i], ok = keyText(x, depth-1); !ok {
			return "", false
		}
		if n += len(parts[i]); n > maxKeyText {
			return "", false
		}
	}
	return strings.Join(parts, ", "), true
}
