package torchfile

import (
	"fmt"
	"io"
	"math"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// dtype is an element type as PyTorch names it, and what it is here.
type dtype struct {
	name  string
	size  int64
	dtype checkpoint.DType // Unknown: listed, not read
}

var dtypes = func() map[string]dtype {
	all := make(map[string]dtype)
	for _, d := range []struct {
		storage string // class of its storages
		dtype
	}{
		{"FloatStorage", dtype{"float32", 4, checkpoint.F32}},
		{"DoubleStorage", dtype{"float64", 8, checkpoint.F64}},
		{"HalfStorage", dtype{"float16", 2, checkpoint.F16}},
		{"BFloat16Storage", dtype{"bfloat16", 2, checkpoint.BF16}},
		{"LongStorage", dtype{"int64", 8, checkpoint.I64}},
		{"IntStorage", dtype{"int32", 4, checkpoint.I32}},
		{"ShortStorage", dtype{"int16", 2, checkpoint.I16}},
		{"CharStorage", dtype{"int8", 1, checkpoint.I8}},
		{"ByteStorage", dtype{"uint8", 1, checkpoint.U8}},
		{"BoolStorage", dtype{"bool", 1, checkpoint.Bool}},
		{"UntypedStorage", dtype{"untyped", 1, checkpoint.Unknown}},
		{"ComplexFloatStorage", dtype{"complex64", 8, checkpoint.Unknown}},
		{"ComplexDoubleStorage", dtype{"complex128", 16, checkpoint.Unknown}},
		{"QInt8Storage", dtype{"qint8", 1, checkpoint.Unknown}},
		{"QUInt8Storage", dtype{"quint8", 1, checkpoint.Unknown}},
		{"QInt32Storage", dtype{"qint32", 4, checkpoint.Unknown}},
		{"", dtype{"uint16", 2, checkpoint.U16}},
		{"", dtype{"uint32", 4, checkpoint.U32}},
		{"", dtype{"uint64", 8, checkpoint.U64}},
		{"", dtype{"complex32", 4, checkpoint.Unknown}},
		{"", dtype{"float8_e4m3fn", 1, checkpoint.Unknown}},
		{"", dtype{"float8_e5m2", 1, checkpoint.Unknown}},
		{"", dtype{"float8_e4m3fnuz", 1, checkpoint.Unknown}},
		{"", dtype{"float8_e5m2fnuz", 1, checkpoint.Unknown}},
		{"", dtype{"float8_e8m0fnu", 1, checkpoint.Unknown}},
	} {
		all[d.name] = d.dtype
		if d.storage != "" {
			all[d.storage] = d.dtype
		}
	}
	return all
}()

// record is the bytes a storage is kept in.
type record struct {
	key  string
	r    io.ReaderAt
	off  int64 // in r
	size int64
	elem int64 // bytes of an element, where the file counts in elements
	file bool  // r is the file itself
	big  bool  // its elements are big-endian
}

// storage is what a persistent id stands for: a record and the type and number
// of its elements. Several can refer to one record.
type storage struct {
	rec   *record
	dtype dtype
	first int64 // in elements of the record: where this storage begins
	numel int64
}

// stored is a tensor as the file describes it, checked against its storage.
type stored struct {
	rec    *record
	dtype  dtype
	offset int64   // in elements of the record
	shape  []int   // as they will be handed out
	stride []int64 // in elements
	numel  int64
	quant  *quant // nil: its elements are the numbers
}

// bytes is the size of the tensor's elements as they are handed out.
func (t *stored) bytes() int64 {
	if t.quant != nil {
		return 4 * t.numel
	}
	return t.numel * t.dtype.size
}

// parseStorage reads the persistent id of a storage: ("storage", class, key,
// location, number of elements), followed in old files by a view. find gives
// the record of a key, for a storage of that many elements.
func parseStorage(id any, find func(key string, numel int64, d dtype) (*record, error)) (any, error) {
	t, ok := id.(*tuple)
	if !ok {
		return nil, fmt.Errorf("a persistent id is %s, expected a tuple", kind(id))
	}
	p := t.items
	if len(p) >= 2 && p[0] == "module" { // old files: a class and its source
		return p[1], nil
	}
	if len(p) < 5 || len(p) > 6 || p[0] != "storage" {
		return nil, fmt.Errorf("a persistent id is not (\"storage\", class, key, location, size)")
	}
	class, ok := p[1].(*global)
	if !ok || class.module != "torch" && class.module != "torch.cuda" && class.module != "torch.storage" {
		return nil, fmt.Errorf("the class of a storage is %s, which is none of PyTorch's", kind(p[1]))
	}
	d, ok := dtypes[class.name]
	if !ok {
		return nil, fmt.Errorf("storages of class %s are not known", class)
	}
	key, ok := p[2].(string)
	if !ok {
		n, isInt := p[2].(int64)
		if !isInt {
			return nil, fmt.Errorf("the key of a storage is %s, expected a string", kind(p[2]))
		}
		key = fmt.Sprint(n)
	}
	if _, ok := p[3].(string); !ok {
		return nil, fmt.Errorf("the location of storage %.40q is %s, expected a string", key, kind(p[3]))
	}
	numel, ok := p[4].(int64)
	if !ok || numel < 0 || numel > math.MaxInt64/d.size {
		return nil, fmt.Errorf("the size of storage %.40q is no number of elements", key)
	}
	rec, err := find(key, numel, d)
	if err != nil {
		return nil, err
	}
	s := &storage{rec: rec, dtype: d, numel: numel}
	if len(p) == 6 && p[5] != (none{}) { // (key of the view, offset, size)
		v, ok := p[5].(*tuple)
		if !ok || len(v.items) != 3 {
			return nil, fmt.Errorf("the view of storage %.40q is %s, expected (key, offset, size)", key, kind(p[5]))
		}
		off, ok := asInt(v.items[1])
		n, ok2 := asInt(v.items[2])
		if !ok || !ok2 || off < 0 || n < 0 || off > numel || n > numel-off {
			return nil, fmt.Errorf("a view of storage %.40q lies outside its %d elements", key, numel)
		}
		s.first, s.numel = off, n
	}
	return s, nil
}

// rebuildTensor is _rebuild_tensor(storage, offset, size, stride) and _v2 with
// requires_grad and hooks after these, which mean nothing here.
func rebuildTensor(m *machine, args []any) (any, error) {
	if len(args) < 4 || len(args) > 7 {
		return nil, errArgs
	}
	s, ok := args[0].(*storage)
	if !ok {
		return nil, fmt.Errorf("its first argument is %s, expected a storage", kind(args[0]))
	}
	return m.view(s, s.dtype, args)
}

// rebuildTensor3 has the element type as its own argument, after hooks; the
// storage is untyped.
func rebuildTensor3(m *machine, args []any) (any, error) {
	if len(args) < 7 || len(args) > 8 {
		return nil, errArgs
	}
	s, ok := args[0].(*storage)
	if !ok {
		return nil, fmt.Errorf("its first argument is %s, expected a storage", kind(args[0]))
	}
	g, ok := args[6].(*global)
	if !ok || g.module != "torch" {
		return nil, fmt.Errorf("its element type is %s, expected a torch.dtype", kind(args[6]))
	}
	d, ok := dtypes[g.name]
	if !ok || d.name != g.name {
		return nil, fmt.Errorf("element type %s is not known", g)
	}
	bytes := s.numel * s.dtype.size
	if s.first != 0 {
		return nil, errArgs
	}
	return m.view(&storage{rec: s.rec, dtype: d, numel: bytes / d.size}, d, args)
}

// rebuildFromType is a tensor of a subclass: (function, class, arguments of
// the function, attributes). The tensor is kept, class and attributes are not.
func rebuildFromType(m *machine, args []any) (any, error) {
	if len(args) < 3 {
		return nil, errArgs
	}
	g, ok := args[0].(*global)
	inner, ok2 := args[2].(*tuple)
	if !ok || !ok2 {
		return nil, errArgs
	}
	switch g.String() {
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3":
		return calls[g.String()](m, inner.items)
	}
	return &object{class: g, args: inner.items}, nil
}

// view checks offset, size and stride (arguments 1 to 3) against the storage.
func (m *machine) view(s *storage, d dtype, args []any) (any, error) {
	offset, ok := asInt(args[1])
	size, ok2 := asInts(args[2])
	stride, ok3 := asInts(args[3])
	if !ok || !ok2 || !ok3 {
		return nil, fmt.Errorf("offset, size and stride are not integers")
	}
	if len(size) != len(stride) || len(size) > checkpoint.MaxRank {
		return nil, fmt.Errorf("%d sizes and %d strides, expected as many of each, at most %d", len(size), len(stride), checkpoint.MaxRank)
	}
	if m.c != nil && !m.hold(tensorBytes+16*len(size)) { // m.c is nil for weights named in JSON
		return nil, errArgs
	}
	t := &stored{rec: s.rec, dtype: d, stride: stride, shape: make([]int, len(size))}
	for i, n := range size {
		t.shape[i] = int(n)
		if int64(t.shape[i]) != n {
			return nil, fmt.Errorf("size %d of dimension %d is beyond this machine's integers", n, i)
		}
		if stride[i] < 0 {
			return nil, fmt.Errorf("stride %d of dimension %d is negative", stride[i], i)
		}
	}
	numel, err := tensor.Size(t.shape)
	if err != nil {
		return nil, err
	}
	t.numel = int64(numel)
	if t.numel > int64(math.MaxInt)/d.size { // an int, on 32-bit machines too
		return nil, fmt.Errorf("shape %v has more bytes than an int counts", t.shape)
	}
	if offset < 0 {
		return nil, fmt.Errorf("offset %d is negative", offset)
	}
	t.offset = s.first + offset
	if t.numel == 0 {
		t.offset = 0
		return t, nil
	}
	last := offset
	for i, n := range size {
		if stride[i] > 0 && n-1 > (math.MaxInt64-last)/stride[i] {
			last = math.MaxInt64
			break
		}
		last += (n - 1) * stride[i]
	}
	if last >= s.numel {
		return nil, fmt.Errorf("shape %v, stride %v and offset %d reach element %d of storage %.40q, which has %d", t.shape, stride, offset, last, s.rec.key, s.numel)
	}
	return t, nil
}

// contiguous reports whether the elements lie one after another in row-major
// order.
func (t *stored) contiguous() bool {
	want := int64(1)
	for i := len(t.shape) - 1; i >= 0; i-- {
		if t.shape[i] == 1 {
			continue
		}
		if t.stride[i] != want {
			return false
		}
		want *= int64(t.shape[i])
	}
	return true
}
