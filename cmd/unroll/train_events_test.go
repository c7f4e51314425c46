package main

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"
)

type closer struct{ bytes.Buffer }

func (*closer) Close() error { return nil }

// The bytes are what TensorBoard 2.21 writes for the same events:
//
//	w = tensorboard.summary.writer.record_writer.RecordWriter(b)
//	w.write(Event(wall_time=1.5, file_version="brain.Event:2").SerializeToString())
//	w.write(Event(wall_time=1.5, step=3, summary=Summary(value=[
//	    Summary.Value(tag="loss/step", simple_value=.5), Summary.Value(tag="lr", simple_value=2e-3)])).SerializeToString())
func TestEventsAreTensorBoardsBytes(t *testing.T) {
	const want = "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c" +
		"2a00000000000000ae8d91f509000000000000f83f10032a1d0a100a096c6f73732f73746570150000003f0a090a026c72156f12033b0c558434"
	var b closer
	e := events{&b, func() time.Time { return time.Unix(1, 500_000_000) }}
	if err := e.begin(); err != nil {
		t.Fatal(err)
	}
	if err := e.scalars(3, map[string]float64{"lr": 2e-3, "loss/step": .5}); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(b.Bytes()); got != want {
		t.Errorf("wrote\n%s\nTensorBoard writes\n%s", got, want)
	}
}
