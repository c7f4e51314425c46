package main

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// events is a TensorBoard event file: TFRecords of the message Event
// (tensorflow/core/util/event.proto): wall_time 1, step 2, file_version 3,
// summary 5 with value 1 of tag 1 and simple_value 2.
type events struct {
	f   io.WriteCloser
	now func() time.Time
}

func newEvents(dir string) (*events, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("events.out.tfevents.%010d.unroll.%d", time.Now().Unix(), os.Getpid())
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666) // nobody's file is replaced
	if err != nil {
		return nil, err
	}
	e := &events{f, time.Now}
	return e, e.begin()
}

// begin writes what every event file begins with.
func (e *events) begin() error {
	return e.record(protowire.AppendString(protowire.AppendTag(e.head(), 3, protowire.BytesType), "brain.Event:2"))
}

// head is the beginning of every event: its time.
func (e *events) head() []byte {
	b := protowire.AppendTag(nil, 1, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, math.Float64bits(float64(e.now().UnixNano())/1e9))
}

func (e *events) scalars(step int, values map[string]float64) error {
	var sum []byte
	for _, tag := range slices.Sorted(maps.Keys(values)) {
		v := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), tag)
		v = protowire.AppendFixed32(protowire.AppendTag(v, 2, protowire.Fixed32Type), math.Float32bits(float32(values[tag])))
		sum = protowire.AppendBytes(protowire.AppendTag(sum, 1, protowire.BytesType), v)
	}
	b := protowire.AppendVarint(protowire.AppendTag(e.head(), 2, protowire.VarintType), uint64(step))
	return e.record(protowire.AppendBytes(protowire.AppendTag(b, 5, protowire.BytesType), sum))
}

// record writes a TFRecord: length, its masked CRC-32C, data, its masked
// CRC-32C.
func (e *events) record(data []byte) error {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, masked(b))
	b = append(b, data...)
	b = binary.LittleEndian.AppendUint32(b, masked(data))
	_, err := e.f.Write(b)
	return err
}

func masked(b []byte) uint32 {
	c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}

func (e *events) close() { e.f.Close() }
