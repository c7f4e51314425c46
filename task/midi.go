package task

import (
	"io"
	"slices"

	"gitlab.com/gomidi/midi/v2"
	"gitlab.com/gomidi/midi/v2/smf"
)

// lowestKey is the MIDI number of key 0 of a piano: A0.
const lowestKey = 21

// WriteMIDI writes a piano roll as a Standard MIDI file: a step is an eighth
// note at 90 quarters a minute; a key that sounds on is one longer note; key 0
// is A0.
func WriteMIDI(w io.Writer, steps [][]int) error {
	const quarter = 480
	var t smf.Track
	t.Add(0, smf.MetaTempo(90))
	var wait uint32
	add := func(m midi.Message) {
		t.Add(wait, m)
		wait = 0
	}
	note := func(k int) uint8 { return uint8(min(k+lowestKey, 127)) }
	var on []int
	for _, s := range append(slices.Clone(steps), nil) {
		for _, k := range on {
			if !slices.Contains(s, k) {
				add(midi.NoteOff(0, note(k)))
			}
		}
		for _, k := range s {
			if !slices.Contains(on, k) {
				add(midi.NoteOn(0, note(k), 80))
			}
		}
		on = s
		wait += quarter / 2
	}
	t.Close(0)
	f := smf.New()
	f.TimeFormat = smf.MetricTicks(quarter)
	if err := f.Add(t); err != nil {
		return err
	}
	_, err := f.WriteTo(w)
	return err
}
