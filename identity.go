package unroll

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"

	"github.com/unroll-ml/unroll/tensor"
)

// Signature says in a line which states the layer can take: its settings, but
// for those that no state depends on (dropout and batch_first), the element type
// and the shapes of a sequence's state, such as
//
//	LSTM(10, 20, num_layers=2) float32 h[2,20] c[2,20]
//
// and, where they are not all full, the precisions of its weights. It is empty for
// a layer that New did not make.
func (l *LayerOf[F]) Signature() string {
	if l.made("") != nil {
		return ""
	}
	c := l.cfg
	c.Dropout, c.BatchFirst = 0, false
	rows := c.Layers() * c.Directions()
	s := fmt.Sprintf("%s %T h[%d,%d]", c, F(0), rows, c.StateSize())
	if c.HasCell() {
		s += fmt.Sprintf(" c[%d,%d]", rows, c.HiddenSize)
	}
	return s + precisionText(l.precisions)
}

// versionDigest is the digest of the parameters of a version.
type versionDigest struct {
	version uint64
	digest  string
}

// Digest returns the SHA-256, in hexadecimal, of the signature and of every
// parameter's name, shape and bits: layers that have the same one compute the
// same. It is computed once after each change of the parameters, and may be
// asked by many goroutines. It is empty for a layer that New did not make.
func (l *LayerOf[F]) Digest() string {
	if l.made("") != nil {
		return ""
	}
	version := l.stack.Version.Load()
	if d := l.digest.Load(); d != nil && d.version == version {
		return d.digest
	}
	h := sha256.New()
	fmt.Fprintln(h, l.Signature())
	for _, p := range l.params {
		fmt.Fprintln(h, p.Name, p.Value.Shape)
		hashBits(h, p.Value.Data)
	}
	d := &versionDigest{version, hex.EncodeToString(h.Sum(nil))}
	l.digest.Store(d)
	return d.digest
}

// hashBits adds the bits of numbers, little-endian.
func hashBits[F tensor.Float](h hash.Hash, v []F) {
	var b []byte
	for len(v) > 0 {
		n := min(len(v), 1024)
		b = b[:0]
		for _, x := range v[:n] {
			switch x := any(x).(type) {
			case float32:
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
			case float64:
				b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
			}
		}
		h.Write(b)
		v = v[n:]
	}
}
