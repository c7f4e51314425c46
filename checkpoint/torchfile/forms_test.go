package torchfile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// formOf is what testdata/forms.json tells of a file.
type formOf struct {
	Prefix  string // only tensors under it are compared
	Classes []string
	Skipped []string
	Program bool
	Modules map[string]map[string]any
}

// TestFormsOfPyTorch reads state dicts, modules, programs and pickles in the
// forms that testdata/forms.py wrote: every tensor to the bit, settings of
// modules, and what is passed over by name.
func TestFormsOfPyTorch(t *testing.T) {
	b, err := os.ReadFile("testdata/forms/forms.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Files map[string]formOf }
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Files) < 30 {
		t.Errorf("%d files", len(all.Files))
	}
	for file, want := range all.Files {
		t.Run(file, func(t *testing.T) {
			f, err := Open(filepath.Join("testdata/forms", file))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			sameTensors(t, f, file, want.Prefix)
			if f.Program() != want.Program {
				t.Errorf("it is a program: %t", f.Program())
			}
			said(t, f, want)
			for path, attrs := range want.Modules {
				sameModule(t, moduleAt(f.Modules(), path), path, attrs)
			}
		})
	}
}

// sameTensors compares what is under prefix with the file written beside.
func sameTensors(t *testing.T, f *File, file, prefix string) {
	t.Helper()
	expect, err := safetensors.Open(filepath.Join("testdata/forms", file+".expect.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer expect.Close()
	var got []string
	for _, n := range f.Names() {
		// A quantized layer's output has a scale too, which means nothing here.
		if strings.HasPrefix(n, prefix) && n != "fc.scale" && n != "fc.zero_point" {
			got = append(got, n)
		}
	}
	names := expect.Names()
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Fatalf("tensors %q, expected %q", got, names)
	}
	for _, n := range names {
		w, err := checkpoint.Float[float64](expect, n)
		if err != nil {
			t.Fatal(err)
		}
		g, err := checkpoint.Float[float64](f, n)
		if err != nil {
			t.Fatal(err)
		}
		testkit.BitsDense(t, n, g, w)
	}
}

func said(t *testing.T, f *File, want formOf) {
	t.Helper()
	classes, skipped := map[string]bool{}, map[string]bool{}
	for v := range f.Each() {
		classes[v.Path] = classes[v.Path] || v.Class != ""
		if s, ok := v.Data.(Skipped); ok && s != "" {
			skipped[v.Path] = true
		}
	}
	for _, path := range want.Classes {
		if !classes[path] {
			t.Errorf("the object at %s is not named", path)
		}
	}
	for _, path := range want.Skipped {
		if !skipped[path] {
			t.Errorf("what is passed over at %s is not said", path)
		}
	}
}

func moduleAt(all []*Module, path string) *Module {
	for _, m := range all {
		if m.Path == path {
			return m
		}
		if in := moduleAt(m.Modules, path); in != nil {
			return in
		}
	}
	return nil
}

func sameModule(t *testing.T, m *Module, path string, attrs map[string]any) {
	t.Helper()
	if m == nil {
		t.Errorf("there is no module at %q", path)
		return
	}
	for name, want := range attrs {
		var got any
		switch name {
		case "class":
			got = m.Class
		case "hook": // class, attribute, its value
			if len(m.Hooks) != 1 {
				t.Fatalf("%s has %d hooks", path, len(m.Hooks))
			}
			attr := want.([]any)[1].(string)
			v, _ := m.Hooks[0].Attr(attr)
			got = []any{m.Hooks[0].Class, attr, v}
		default:
			got, _ = m.Attr(name)
		}
		if got = asJSON(got); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s = %v, expected %v", path, name, got, want)
		}
	}
	for _, r := range m.Tensors {
		if !strings.HasSuffix(r.Tensor, r.Name) {
			t.Errorf("%s: tensor %+v", path, r)
		}
	}
}

// asJSON turns integers into the numbers of JSON.
func asJSON(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = asJSON(x)
		}
		return out
	}
	return v
}

// TestQuantizedGivesTheIntegers: (q - zero) * scale is what Tensor returns.
func TestQuantizedGivesTheIntegers(t *testing.T) {
	f, err := Open("testdata/forms/quantized_tensors.pt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, axis := range map[string]int{"channels": 1, "turned": -1, "wide": -1} {
		q, ok, err := f.Quantized(name)
		if err != nil || !ok || q.Axis != axis || q.Check() != nil {
			t.Fatalf("%s: %+v, %v, %v", name, q, ok, err)
		}
		ints, _, err := checkpoint.IntsOf(q.Tensor)
		if err != nil {
			t.Fatal(err)
		}
		want, err := checkpoint.Float[float32](f, name)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range ints {
			c := 0
			got := float32(x-q.Zero[c]) * float32(q.Scale[c])
			if axis == 1 {
				c = i / 2 % 4
				got = float32(float64(x-q.Zero[c]) * q.Scale[c])
			}
			if got != want.Data[i] {
				t.Errorf("%s[%d] = (%d - %d) * %v = %v, expected %v", name, i, x, q.Zero[c], q.Scale[c], got, want.Data[i])
			}
		}
	}
	if _, ok, err := mustOpen(t, file(t, floats4)).Quantized("tensor"); ok || err != nil {
		t.Errorf("a float tensor is quantized: %v, %v", ok, err)
	}
}
