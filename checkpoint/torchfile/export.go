package torchfile

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// A .pt2 file, of torch.export.save, is a zip file of a graph in JSON and the
// weights of the module it was made from. The weights are read, under their
// names in the module's state_dict; the graph is not. Three layouts are known:
//
//	NAME/archive_format                             "pt2"
//	NAME/data/weights/model_weights_config.json     names, types and shapes (2.9 and later)
//	NAME/data/weights/weight_N                      a storage each
//
//	NAME/data/weights/model.pt                      a file of torch.save (2.7, 2.8)
//
//	serialized_state_dict.pt                        a file of torch.save (before)

// exportTypes are the numbers of element types in the export schema.
var exportTypes = map[int]string{
	1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16",
	7: "float32", 8: "float64", 9: "complex32", 10: "complex64", 11: "complex128",
	12: "bool", 13: "bfloat16", 28: "uint16", 29: "float8_e4m3fn",
	30: "float8_e5m2", 31: "float8_e4m3fnuz", 32: "float8_e5m2fnuz",
}

// maxConfig bounds the JSON that names the weights.
const maxConfig = 32 << 20

// exported returns where the weights of a .pt2 file are, the part of their
// entries' names before it, and whether it is one.
func (a *archive) exported() (prefix, entry string, ok bool) {
	if a.entries["serialized_state_dict.pt"] != nil {
		return "", "serialized_state_dict.pt", true
	}
	for name := range a.entries {
		for _, end := range []string{"data/weights/model_weights_config.json", "data/weights/model.pt"} {
			if p, found := strings.CutSuffix(name, "/"+end); found && !strings.Contains(p, "/") {
				return p + "/", end, true
			}
		}
	}
	return "", "", false
}

// export reads the weights of a .pt2 file as a dictionary.
func (a *archive) export(entry string) (any, int64, error) {
	a.f.program = true
	r, err := a.open(entry)
	if err != nil {
		return nil, 0, err
	}
	in := io.NewSectionReader(r.r, r.off, r.size)
	if !strings.HasSuffix(entry, ".json") {
		return a.f.inside(in, r.size)
	}
	if r.size > maxConfig {
		return nil, 0, a.f.fail("zip entry "+short(a.prefix+entry), "it has %d bytes, at most %d are read", r.size, maxConfig)
	}
	var config struct {
		Config map[string]exportedTensor `json:"config"`
	}
	if err := json.NewDecoder(in).Decode(&config); err != nil {
		return nil, 0, a.f.fail("zip entry "+short(a.prefix+entry), "it is no list of weights: %v", err)
	}
	names := make([]string, 0, len(config.Config))
	for name := range config.Config {
		names = append(names, name)
	}
	slices.SortFunc(names, func(x, y string) int { // weight_2 before weight_10: the module's order
		p, q := config.Config[x].Path, config.Config[y].Path
		return min(1, max(-1, 2*(len(p)-len(q))+strings.Compare(p, q)))
	})
	d := new(dict)
	for _, name := range names {
		v, err := a.exportedTensor(config.Config[name])
		if err != nil {
			return nil, 0, a.f.fail("zip entry "+short(a.prefix+entry), "weight %.200q: %v", name, err)
		}
		d.add(name, v)
	}
	return d, r.size, nil
}

// exportedTensor is what the JSON says of a weight.
type exportedTensor struct {
	Path   string `json:"path_name"`
	Pickle bool   `json:"use_pickle"`
	Meta   struct {
		DType   int         `json:"dtype"`
		Sizes   []exportInt `json:"sizes"`
		Strides []exportInt `json:"strides"`
		Offset  exportInt   `json:"storage_offset"`
	} `json:"tensor_meta"`
}

type exportInt struct {
	Int *int64 `json:"as_int"`
}

func exportInts(v []exportInt) any {
	t := new(tuple)
	for _, x := range v {
		if x.Int == nil {
			t.items = append(t.items, none{})
		} else {
			t.items = append(t.items, *x.Int)
		}
	}
	return t
}

func (a *archive) exportedTensor(e exportedTensor) (any, error) {
	if e.Pickle || strings.Contains(e.Path, "/") {
		return &object{class: &global{"torch.export", "pickled tensor"}}, nil
	}
	d, ok := dtypes[exportTypes[e.Meta.DType]]
	if !ok {
		return nil, fmt.Errorf("element type %d is not known", e.Meta.DType)
	}
	rec, err := a.record("data/weights/" + e.Path)
	if err != nil {
		return nil, err
	}
	offset := exportInts([]exportInt{e.Meta.Offset}).(*tuple).items[0]
	if rec.size > math.MaxInt64/2 {
		return nil, errArgs
	}
	return new(machine).view(&storage{rec: rec, dtype: d, numel: rec.size / d.size}, d,
		[]any{nil, offset, exportInts(e.Meta.Sizes), exportInts(e.Meta.Strides)})
}
