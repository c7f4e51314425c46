package score

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/model"
)

// file is a file of tensors and metadata, in memory.
func file(t *testing.T, set checkpoint.Set, meta map[string]string) *safetensors.File {
	t.Helper()
	var b bytes.Buffer
	if err := safetensors.Write(&b, set, meta); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.NewNamed(bytes.NewReader(b.Bytes()), int64(b.Len()), "states")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// States that went through a file are those that a run left, series by series, and
// the next run goes on from them.
func TestStatesGoThroughAFile(t *testing.T) {
	m := folder(t)
	list := interleaved(500, 40)
	want, _ := alone(t, m, list)
	first, _, between := run(t, m, table(t, list[:300]), nil, Options{})
	rows := rowsOf(t, m)
	set, meta, err := Tensors(rows, between)
	if err != nil {
		t.Fatal(err)
	}
	if len(set) != 2 { // h and c, of different numbers
		t.Fatalf("%d tensors", len(set))
	}
	back, err := ReadSeries(file(t, set, meta), rows)
	if err != nil || len(back) != len(between) {
		t.Fatal(len(back), err)
	}
	for i, s := range back {
		if s.Key != between[i].Key || s.Steps != between[i].Steps {
			t.Errorf("series %d is %q after %d steps, want %q after %d", i, s.Key, s.Steps, between[i].Key, between[i].Steps)
		}
		testkit.Bits(t, s.Key, s.State, between[i].State)
	}
	second, _, _ := run(t, m, table(t, list[300:]), back, Options{})
	testkit.Bits(t, "in two runs", append(first, second...), want)
}

// A file of other states is refused, and why is said.
func TestStatesOfOthersAreRefused(t *testing.T) {
	m := folder(t)
	rows := rowsOf(t, m)
	_, _, end := run(t, m, table(t, interleaved(20, 3)), nil, Options{})
	for want, spoil := range map[string]func(checkpoint.Set, map[string]string) checkpoint.Set{
		"it holds no states of series": func(s checkpoint.Set, meta map[string]string) checkpoint.Set {
			delete(meta, "format")
			return s
		},
		"of another model": func(s checkpoint.Set, meta map[string]string) checkpoint.Set {
			meta["digest"] += "0"
			return s
		},
		`its metadata "steps" is no list`: func(s checkpoint.Set, meta map[string]string) checkpoint.Set {
			meta["steps"] = "[1"
			return s
		},
		"3 series with 1 numbers of steps": func(s checkpoint.Set, meta map[string]string) checkpoint.Set {
			meta["steps"] = "[1]"
			return s
		},
		"there is no ": func(s checkpoint.Set, _ map[string]string) checkpoint.Set { return s[:1] },
		"for each of 2 series": func(s checkpoint.Set, meta map[string]string) checkpoint.Set {
			meta["series"], meta["steps"] = `["a","b"]`, "[1,1]"
			return s
		},
	} {
		set, meta, err := Tensors(rows, end)
		if err != nil {
			t.Fatal(err)
		}
		set = spoil(set, meta)
		if _, err := ReadSeries(file(t, set, meta), rows); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "states") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// States of integers are whole numbers in a file, and those that float32 cannot
// hold are refused.
func TestStatesOfIntegers(t *testing.T) {
	for name, list := range map[string][]float32{
		"int64": {-1 << 40, 0, 7, 1 << 24}, "int32": {-1 << 31, 1, 2, 3}, "int8": {-128, 127, 0, 1},
		"uint8": {0, 255, 128, 1}, "bool": {0, 1, 1, 0}, "float32": {0.5, -1, 2, 3},
	} {
		p := model.Port{Name: "n", Type: name, Shape: []string{"2"}}
		info, err := checkpoint.NewInfo(p.Name, stored(name), []int{2, 2})
		if err != nil {
			t.Fatal(err)
		}
		f := file(t, checkpoint.Set{{Info: info, Data: appendNumbers(nil, stored(name), list)}}, nil)
		got, err := readState(f, p, 2)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		testkit.Bits(t, name, got, list)
		if name == "float32" {
			continue
		}
		if p.Type = "int64"; name == "int64" {
			p.Type = "int8"
		}
		if _, err := readState(f, p, 2); err == nil || !strings.Contains(err.Error(), fmt.Sprint("expected ", stored(p.Type))) {
			t.Errorf("%s read as %s: %v", name, p.Type, err)
		}
	}
	info, err := checkpoint.NewInfo("n", checkpoint.I64, []int{1, 1})
	if err != nil {
		t.Fatal(err)
	}
	data := binary.LittleEndian.AppendUint64(nil, 1<<24+1)
	f := file(t, checkpoint.Set{{Info: info, Data: data}}, nil)
	if _, err := readState(f, model.Port{Name: "n", Type: "int64", Shape: []string{"1"}}, 1); err == nil || !strings.Contains(err.Error(), "16777217") {
		t.Errorf("a number beyond float32: %v", err)
	}
}
