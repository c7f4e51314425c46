package checkpoint

// DType is the element type of a stored tensor. The names are those of the
// safetensors format.
type DType uint8

// Element types. Unknown stands for every type that can be listed but not
// read (8-bit floats, complex numbers, strings).
const (
	Unknown DType = iota
	F64
	F32
	F16
	BF16
	I64
	I32
	I16
	I8
	U64
	U32
	U16
	U8
	Bool
)

var dtypes = [...]struct {
	name string
	size int
}{
	Unknown: {"unknown", 0},
	F64:     {"F64", 8},
	F32:     {"F32", 4},
	F16:     {"F16", 2},
	BF16:    {"BF16", 2},
	I64:     {"I64", 8},
	I32:     {"I32", 4},
	I16:     {"I16", 2},
	I8:      {"I8", 1},
	U64:     {"U64", 8},
	U32:     {"U32", 4},
	U16:     {"U16", 2},
	U8:      {"U8", 1},
	Bool:    {"BOOL", 1},
}

// ParseDType returns the type of that name ("F32", "BOOL"), or Unknown.
func ParseDType(name string) DType {
	for i, d := range dtypes {
		if d.size > 0 && d.name == name {
			return DType(i)
		}
	}
	return Unknown
}

// String returns the name, "F32" for instance.
func (d DType) String() string {
	if int(d) < len(dtypes) {
		return dtypes[d].name
	}
	return dtypes[Unknown].name
}

// Size returns the bytes of one element, 0 for Unknown.
func (d DType) Size() int {
	if int(d) < len(dtypes) {
		return dtypes[d].size
	}
	return 0
}

// IsFloat reports whether the type is one of F64, F32, F16, BF16.
func (d DType) IsFloat() bool { return d >= F64 && d <= BF16 }
