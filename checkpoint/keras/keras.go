// Package keras reads the files of Keras 2 and 3 without Python.
//
// Open reads a .keras archive, a whole model in HDF5, or weights alone, into a
// Model: layers with their classes, settings, connections and weights by role.
// It says what the file holds, and computes nothing; custom classes are in it by
// name, without their weights. docs/formats/keras.md draws the files and lists
// what is refused.
//
// New shows weights that follow Keras's conventions, of whatever source, under
// PyTorch's names and in PyTorch's layout, so that the rest of the project sees
// a state dict: rows are transposed, gates reordered.
//
// Names end in kernel, recurrent_kernel and bias (with or without ":0"); what
// stands before them, up to a slash or a dot, is the layer's name. Where
// forward_x and backward_x, or forward_layer and backward_layer, stand in the
// place of the name, they are the two directions of one layer.
//
//	Keras                             PyTorch
//	kernel            [I,G*H]         weight_ih_l0 [G*H,I]
//	recurrent_kernel  [H,G*H]         weight_hh_l0 [G*H,H]
//	bias              [G*H]           bias_ih_l0, and bias_hh_l0 of zeros
//	bias              [2,G*H]         bias_ih_l0, bias_hh_l0 (GRU, reset_after)
//	gates i f c o                     i f g o (the same order)
//	gates z r h                       r z n
//
// A GRU with one row of bias has reset_after=False, which multiplies the state
// by r before the product. No PyTorch layer does that: ResetBefore tells it, and
// that its tensors are not a torch.nn.GRU's although they have their names.
//
// Letters: I inputs, H hidden units, G gates. The equations are those of
// https://keras.io/api/layers/recurrent_layers/.
package keras

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Source is a checkpoint.Source over another one, under PyTorch's names.
type Source struct {
	src     checkpoint.Source
	names   []string
	tensors map[string]entry
	// before and after are the prefixes of GRUs without and with reset_after.
	before, after map[string]bool
}

// entry says how a tensor comes about.
type entry struct {
	info   checkpoint.Info
	stored string
	gates  string // Keras's order
	matrix bool   // transposed
	row    int    // of a bias: 0 or 1
	zeros  bool
}

var orders = map[int][2]string{ // gates: Keras's order, PyTorch's
	1: {"h", "h"},
	3: {"zrh", "rzh"},
	4: {"ifco", "ifco"},
}

// New reads the names and shapes of src. Tensors that are no part of a
// recurrent layer keep their names, but a kernel and bias alone, those of a
// dense layer, are left as they are. It is an ErrFormat if a layer's shapes
// contradict each other.
func New(src checkpoint.Source) (*Source, error) {
	s := &Source{src: src, tensors: map[string]entry{}, before: map[string]bool{}, after: map[string]bool{}}
	used := map[string]bool{}
	for _, name := range src.Names() {
		dir, ok := strings.CutSuffix(strings.TrimSuffix(name, ":0"), "recurrent_kernel")
		if !ok {
			continue
		}
		if err := s.layer(name, dir, used); err != nil {
			return nil, err
		}
	}
	for _, name := range src.Names() {
		info, ok := src.Info(name)
		if ok && !used[name] {
			if err := s.add(entry{info: info, stored: name}); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (s *Source) add(e entry) error {
	if _, twice := s.tensors[e.info.Name]; twice {
		return &checkpoint.Error{Tensor: e.stored, Reason: fmt.Sprintf("two tensors would be called %s", e.info.Name)}
	}
	s.names = append(s.names, e.info.Name)
	s.tensors[e.info.Name] = e
	return nil
}

// layer adds the tensors of one direction of a layer; dir is what stands
// before recurrent_kernel.
func (s *Source) layer(stored, dir string, used map[string]bool) error {
	fail := func(name, format string, a ...any) error {
		return &checkpoint.Error{Tensor: name, Reason: fmt.Sprintf(format, a...)}
	}
	suffix := strings.TrimPrefix(stored, dir+"recurrent_kernel") // "" or ":0"
	hh, _ := s.src.Info(stored)
	ih, ok := s.src.Info(dir + "kernel" + suffix)
	if !ok {
		return fail(stored, "there is no %skernel beside it", dir)
	}
	if len(hh.Shape) != 2 || len(ih.Shape) != 2 || hh.Shape[1] != ih.Shape[1] || hh.Shape[0] == 0 || hh.Shape[1]%hh.Shape[0] != 0 {
		return fail(stored, "it has shape %v and the kernel %v, expected [H,G*H] and [I,G*H]", hh.Shape, ih.Shape)
	}
	gates := hh.Shape[1] / hh.Shape[0]
	order, ok := orders[gates]
	if !ok {
		return fail(stored, "it has %d times as many columns as rows, expected 1 (SimpleRNN), 3 (GRU) or 4 (LSTM)", gates)
	}
	prefix, end := direction(dir)
	add := func(info checkpoint.Info, name string, matrix bool, row int, zeros bool, shape ...int) error {
		used[info.Name] = true
		to, err := checkpoint.NewInfo(prefix+name+end, info.DType, shape)
		if err != nil {
			return err
		}
		return s.add(entry{info: to, stored: info.Name, gates: order[0], matrix: matrix, row: row, zeros: zeros})
	}
	rows := hh.Shape[1]
	if err := add(ih, "weight_ih_l0", true, 0, false, rows, ih.Shape[0]); err != nil {
		return err
	}
	if err := add(hh, "weight_hh_l0", true, 0, false, rows, hh.Shape[0]); err != nil {
		return err
	}
	bias, ok := s.src.Info(dir + "bias" + suffix)
	if !ok {
		return nil
	}
	one, two := slices.Equal(bias.Shape, []int{rows}), gates == 3 && slices.Equal(bias.Shape, []int{2, rows})
	if !one && !two {
		return fail(bias.Name, "it has shape %v, expected [%d], or [2,%d] of a GRU with reset_after", bias.Shape, rows, rows)
	}
	s.after[prefix] = s.after[prefix] || two
	if s.before[prefix] = s.before[prefix] || gates == 3 && one; s.before[prefix] && s.after[prefix] {
		return fail(bias.Name, "one direction of the GRU has reset_after, the other not")
	}
	if err := add(bias, "bias_ih_l0", false, 0, false, rows); err != nil {
		return err
	}
	second := 0
	if two {
		second = 1
	}
	return add(bias, "bias_hh_l0", false, second, one, rows)
}

// direction turns Keras's name of a direction into a prefix and PyTorch's
// suffix.
func direction(dir string) (prefix, end string) {
	label := strings.TrimRight(dir, "/.")
	if len(label) == len(dir) {
		return dir, ""
	}
	sep := dir[len(label):]
	// Below a direction's name Keras may put that of its cell.
	parts := strings.FieldsFunc(label, func(r rune) bool { return r == '/' || r == '.' })
	for _, p := range parts {
		for word, e := range map[string]string{"forward_": "", "backward_": "_reverse"} {
			if strings.HasPrefix(p, word) {
				before := label[:strings.Index(label, p)]
				if before == "" {
					before = strings.TrimPrefix(p, word) + sep
				}
				return before, e
			}
		}
	}
	return dir, ""
}

// ResetBefore reports whether the layer of that prefix is a GRU with
// reset_after=False, whose state is multiplied by r before the product.
func (s *Source) ResetBefore(prefix string) bool { return s.before[prefix] }

// Names returns PyTorch's names, then those of the other tensors.
func (s *Source) Names() []string { return append([]string{}, s.names...) }

// Info describes a tensor under its PyTorch name.
func (s *Source) Info(name string) (checkpoint.Info, bool) {
	e, ok := s.tensors[name]
	return e.info, ok
}

// Tensor reads a tensor and gives it PyTorch's layout.
func (s *Source) Tensor(name string) (checkpoint.Tensor, error) {
	e, ok := s.tensors[name]
	if !ok {
		return checkpoint.Tensor{}, checkpoint.Missing("", name)
	}
	t, err := s.src.Tensor(e.stored)
	if err != nil || e.gates == "" {
		return t, err
	}
	if err := t.Check(); err != nil {
		return t, err
	}
	out := checkpoint.Tensor{Info: e.info, Data: make([]byte, e.info.Bytes)}
	if e.zeros {
		return out, nil
	}
	size, columns := t.DType.Size(), e.info.Shape[0]
	h := columns / len(e.gates)
	to := orders[len(e.gates)][1]
	width := 1
	if e.matrix {
		width = e.info.Shape[1]
	}
	for row := range columns {
		from := strings.IndexByte(e.gates, to[row/h])*h + row%h
		for i := range width {
			at := (e.row+i)*columns + from // Keras: [I,G*H], or a row of the bias
			copy(out.Data[(row*width+i)*size:][:size], t.Data[at*size:][:size])
		}
	}
	return out, nil
}
