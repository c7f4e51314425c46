package live

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"io"
	"math"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/atomicfile"
)

// A snapshot is snapshotMagic and blocks: the length in 4 bytes, little-endian as
// all numbers are, that many bytes, and their CRC-32C. The first block is a header
// in JSON, the others hold records of sequences, each whole, and the last one is
// empty and has the number of records in 8 bytes after it. See
// docs/formats/capsule.md.
const snapshotMagic = "unroll snapshot 1\n"

// snapshotHeader is the first block.
type snapshotHeader struct {
	Signature string           `json:"signature"`
	Digest    string           `json:"digest"`
	Engine    string           `json:"engine"`
	State     []snapshotTensor `json:"state"`
}

type snapshotTensor struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// flagMarked is that of a record whose sequence has a reason and no state.
const flagMarked = 1

// Snapshot writes Options.Snapshot now: all sequences with their states and steps,
// marked ones with their reason. The file is replaced when all of it is on the
// disk, so that there is always a whole one. Steps go on meanwhile: each sequence
// is as it was at a moment during the call, and steps wait while some tens of
// kilobytes are copied.
//
// With Options.Store it saves there what has stepped since. It does nothing
// without either.
func (p *Pool) Snapshot() error {
	p.writing.Lock()
	defer p.writing.Unlock()
	now := p.opt.Now().UnixNano()
	var err error
	switch {
	case p.opt.Store != nil:
		err = p.saveDirty()
	case p.opt.Snapshot != "":
		p.swapping.Lock() // a file is of one target
		defer p.swapping.Unlock()
		err = atomicfile.Write(p.opt.Snapshot, p.writeSnapshot)
	default:
		return nil
	}
	if err == nil {
		p.written.Store(now)
	}
	return err
}

func (p *Pool) writeSnapshot(w io.Writer) error {
	v := p.version.Load()
	if _, err := io.WriteString(w, snapshotMagic); err != nil {
		return err
	}
	h := snapshotHeader{Signature: v.signature, Digest: v.digest, Engine: engine(), State: tensorsJSON(v.tensors)}
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := writeBlock(w, b); err != nil {
		return err
	}
	var records uint64
	b = b[:0]
	for _, s := range p.shards {
		err := s.walk(func(q *sequence) int {
			before := len(b)
			b = appendRecord(b, q)
			records++
			return len(b) - before
		}, func() error {
			if len(b) == 0 {
				return nil
			}
			err := writeBlock(w, b)
			b = b[:0]
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := writeBlock(w, nil); err != nil {
		return err
	}
	return binary.Write(w, binary.LittleEndian, records)
}

func tensorsJSON(tensors []checkpoint.Info) (list []snapshotTensor) {
	for _, t := range tensors {
		list = append(list, snapshotTensor{t.Name, t.Shape})
	}
	return list
}

func writeBlock(w io.Writer, b []byte) error {
	if err := binary.Write(w, binary.LittleEndian, uint32(len(b))); err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	return binary.Write(w, binary.LittleEndian, crc32.Checksum(b, castagnoli))
}

// appendRecord adds a sequence: the key's length in 4 bytes and the key, the steps
// in 8, flags in 1, and the numbers of the state, or the reason as the key is.
func appendRecord(b []byte, q *sequence) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(q.key)))
	b = append(b, q.key...)
	b = binary.LittleEndian.AppendUint64(b, q.steps)
	if q.mark != "" {
		b = append(b, flagMarked)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(q.mark)))
		return append(b, q.mark...)
	}
	b = append(b, 0)
	for _, x := range q.state {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}
