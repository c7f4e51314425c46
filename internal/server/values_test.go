package server

import (
	"bytes"
	"testing"

	"github.com/unroll-ml/unroll/model"
)

// The message of an answer whose values another request will use again holds bytes of
// its own; one of values that nobody writes to any more has theirs.
func TestMessagesShareOnlyWhatIsTheirs(t *testing.T) {
	for _, own := range []bool{false, true} {
		data := []float32{1, 2}
		v, err := model.Of(data, 2)
		must(t, err)
		a := &answer{steps: -1, outputs: []tensor{{"y", v}}, own: own}
		raw := a.message(false).InferResponse.RawOutputContents[0]
		before := bytes.Clone(raw)
		if want := []byte{0, 0, 128, 63, 0, 0, 0, 64}; !bytes.Equal(raw, want) {
			t.Errorf("own %v: the bytes are %v, expected %v", own, raw, want)
		}
		data[0], data[1] = 3, 4
		if shared := !bytes.Equal(raw, before); shared != own && littleEndian {
			t.Errorf("own %v: the memory is shared: %v", own, shared)
		}
	}
	v, err := model.Of([]float32{}, 0)
	must(t, err)
	if raw := rawBytes(v, true); len(raw) != 0 {
		t.Errorf("a value without elements has the bytes %v", raw)
	}
}
