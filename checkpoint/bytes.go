package checkpoint

import (
	"encoding/binary"
	"unsafe"

	"github.com/unroll-ml/unroll/tensor"
)

// little reports whether this machine's numbers lie in memory as they do in files.
var little = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// sameBytes is the memory of v where numbers of type t lie in a file as they do there,
// or nil. It is never nil for such a v, not even an empty one.
func sameBytes[F tensor.Float](v []F, t DType) []byte {
	size := int(unsafe.Sizeof(F(0)))
	if !little || !(t == F32 && size == 4 || t == F64 && size == 8) {
		return nil
	}
	if len(v) == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*size)
}
