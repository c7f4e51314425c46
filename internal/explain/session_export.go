package explain

import (
	"bytes"
	"fmt"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
)

// exportRows bounds a table of numbers: a browser holds it in memory, and a sheet
// takes a million rows.
const exportRows = 1_000_000

// export answers with a file as its bytes. What is "model": the parameters as they
// are now, under PyTorch's names; "input": input, hx and cx, as run reads them;
// "numbers": the run as a table. The block need not be whole floats.
func (s *Session) export(a Args, _ []byte) (any, []byte, error) {
	var set checkpoint.Set
	switch a.What {
	case "model":
		if cfg := s.layer.Config(); !cfg.Variant.IsZero() {
			return nil, nil, fmt.Errorf("%w: %v has settings that names and shapes of weights do not tell; its file would be read as another layer", unroll.ErrUsage, cfg)
		}
		for _, p := range s.layer.Params() {
			set = append(set, checkpoint.Of(p.Name, p.Value))
		}
	case "input":
		set = checkpoint.Set{checkpoint.Of("input", s.x), checkpoint.Of("hx", s.trace.S0.H)}
		if s.trace.cfg.HasCell() {
			set = append(set, checkpoint.Of("cx", s.trace.S0.C))
		}
	case "numbers":
		if err := s.trace.tooLong(); err != nil {
			return nil, nil, err
		}
		if err := s.whole(); err != nil {
			return nil, nil, err
		}
		b, err := s.trace.table()
		return nil, b, err
	default:
		return nil, nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "what", Got: a.What, Want: "model, input or numbers"}
	}
	var b bytes.Buffer
	err := safetensors.Write(&b, set, nil)
	return nil, b.Bytes(), err
}

// table is the run as CSV, a number a row: x, then h and c of every lane. Layers
// have the page's numbers, from 1; the step of an initial state is empty.
func (t *Trace) table() ([]byte, error) {
	if err := t.tooLong(); err != nil {
		return nil, err
	}
	b := []byte("what,layer,direction,step,unit,value\n")
	put := func(head string, step int, values []float32) {
		at := ""
		if step >= 0 {
			at = fmt.Sprint(step)
		}
		for u, v := range values {
			b = fmt.Appendf(b, "%s,%s,%d,%s\n", head, at, u, Num(v))
		}
	}
	for s := range t.Steps() {
		put("x,,", s, row(t.X, s))
	}
	for i := range t.H {
		d := i % t.cfg.Directions()
		name := "forward"
		if t.reversed(d) {
			name = "reverse"
		}
		at := fmt.Sprintf("%d,%s", i/t.cfg.Directions()+1, name)
		put("h,"+at, -1, row(t.S0.H, i))
		for s := range t.Steps() {
			put("h,"+at, s, row(t.H[i], s))
		}
		if t.cfg.HasCell() {
			put("c,"+at, -1, row(t.S0.C, i))
			for s := range t.Steps() {
				put("c,"+at, s, row(t.C[i], s))
			}
		}
	}
	return b, nil
}

// tooLong refuses a table of more than exportRows.
func (t *Trace) tooLong() error {
	rows := len(t.X.Data) + t.recordBytes()/4 + len(t.S0.H.Data) + len(t.S0.C.Data)
	if rows > exportRows {
		return &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "numbers", Got: fmt.Sprintf("%d rows", rows), Want: fmt.Sprintf("at most %d: explain fewer steps (--limit), or write the outputs with unroll run --output", exportRows)}
	}
	return nil
}
