package explain

import (
	"encoding/binary"
	"math"
)

// reader reads float32 from a block, little-endian.
type reader struct {
	block []byte
	short bool // the block ended too early
}

func (r *reader) read(dst []float32) {
	if len(r.block) < 4*len(dst) {
		r.short = true
		return
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(r.block[4*i:]))
	}
	r.block = r.block[4*len(dst):]
}

// floats writes float32 as a block.
func floats(v []float32) []byte {
	b := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(x))
	}
	return b
}
