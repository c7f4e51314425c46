package task_test

import (
	"bytes"
	"fmt"
	"testing"

	"gitlab.com/gomidi/midi/v2"
	"gitlab.com/gomidi/midi/v2/smf"

	"github.com/unroll-ml/unroll/task"
)

// A held key is one long note, a struck one a short one; the times are those
// of the steps, an eighth each, and key 0 is A0.
func TestMIDIHoldsTheRoll(t *testing.T) {
	var b bytes.Buffer
	if err := task.WriteMIDI(&b, [][]int{{0, 39}, {39}, {}, {87, 39}}); err != nil {
		t.Fatal(err)
	}
	f, err := smf.ReadFrom(&b)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(f.Tracks); n != 1 || f.TimeFormat != smf.MetricTicks(480) {
		t.Fatalf("%d tracks, %v", n, f.TimeFormat)
	}
	var got []string
	at := uint32(0)
	for _, e := range f.Tracks[0] {
		at += e.Delta
		var channel, key, velocity uint8
		var tempo float64
		switch m := midi.Message(e.Message); {
		case m.GetNoteStart(&channel, &key, &velocity):
			got = append(got, fmt.Sprintf("%d on %d", at, key))
		case m.GetNoteEnd(&channel, &key):
			got = append(got, fmt.Sprintf("%d off %d", at, key))
		case e.Message.GetMetaTempo(&tempo):
			got = append(got, fmt.Sprintf("%d tempo %.0f", at, tempo))
		}
	}
	want := "[0 tempo 90 0 on 21 0 on 60 240 off 21 480 off 60 720 on 108 720 on 60 960 off 108 960 off 60]"
	if fmt.Sprint(got) != want {
		t.Errorf("%v\nwant %s", got, want)
	}
}
