package explain

import "slices"

// influence answers with the norms, XNorm and H of every lane, [1+L*D,T], and
// then with X [T,I] itself.
func (s *Session) influence(a Args, _ []byte) (any, []byte, error) {
	t, from, to := s.trace, 0, s.trace.Steps()
	if a.Window > 0 {
		from, to = a.Step-a.Window-1, a.Step+a.Window+2
	}
	if err := s.need(patient, a.Layer, -1, from, to); err != nil {
		return nil, nil, err
	}
	inf, err := t.Influence(Target{a.Layer, a.Direction, a.Step, a.Unit}, a.Window, s.turn(patient))
	if err != nil {
		return nil, nil, err
	}
	var out []float32
	for _, v := range append([][]float64{inf.XNorm}, inf.H...) {
		for _, x := range v {
			out = append(out, float32(x))
		}
	}
	return map[string]any{"from": inf.From, "to": inf.To}, floats(append(out, inf.X.Data...)), nil
}

func (s *Session) keep(Args, []byte) (any, []byte, error) {
	s.kept = s.trace
	return s.about(), nil, nil
}

func (s *Session) chain(Args, []byte) (any, []byte, error) {
	if err := s.whole(); err != nil {
		return nil, nil, err
	}
	n, wrong, err := s.trace.Chain()
	return map[string]any{"numbers": n, "wrong": wrong, "code": s.trace.ChainCode()}, nil, err
}

// loop answers with what went wrong, and its code. The block has, per lane and
// step, how many numbers of the cell differ ([L*D,T]; -1 where the loop never
// came), whether these are of output alone, whose state is right ([L*D,T]), and then
// the loop's own numbers, states or of output [L*D,T,H'].
func (s *Session) loop(a Args, _ []byte) (any, []byte, error) {
	if err := s.whole(); err != nil {
		return nil, nil, err
	}
	t := s.trace
	res, err := t.Loop(a.Loop)
	if err != nil {
		return nil, nil, err
	}
	var marks, ofOutput, own []float32
	size, top := t.cfg.StateSize(), (t.cfg.NumLayers-1)*t.cfg.Directions()
	for i, h := range res.H {
		for k := range t.Steps() {
			numbers, of := row(h, k), float32(0)
			n := differ(numbers, row(t.H[i], k))
			if i >= top && n == 0 && res.Break == nil {
				d := i - top
				if out := row(res.Output, k)[d*size : (d+1)*size]; differ(out, numbers) > 0 {
					numbers, of, n = out, 1, differ(out, numbers)
				}
			}
			if !res.reached(t, i, k) {
				n = -1
			}
			marks, ofOutput, own = append(marks, float32(n)), append(ofOutput, of), append(own, numbers...)
		}
	}
	reply := map[string]any{
		"states": res.WrongStates, "output": res.WrongOutput, "hn": res.WrongHN, "numbers": len(res.Output.Data),
		"firstStep": res.FirstStep, "firstLayer": res.FirstLayer, "firstDirection": res.FirstDirection,
		"overwritten": res.Overwritten, "code": t.LoopCode(a.Loop),
	}
	if res.Break != nil {
		reply["break"], reply["message"] = res.Break, res.Break.Error()
	}
	return reply, floats(slices.Concat(marks, ofOutput, own)), nil
}

// openness answers with the mean of each gate of a lane over steps From to To,
// [gates,To-From].
func (s *Session) openness(a Args, _ []byte) (any, []byte, error) {
	t := s.trace
	from, to := t.withBefore(a.Direction, a.From, a.To)
	if err := s.need(patient, a.Layer, a.Direction, from, to); err != nil {
		return nil, nil, err
	}
	means, err := t.MeanGates(a.Layer, a.Direction, a.From, a.To, s.turn(patient))
	if err != nil {
		return nil, nil, err
	}
	var out []float32
	for _, gate := range means {
		for _, v := range gate {
			out = append(out, float32(v))
		}
	}
	return nil, floats(out), nil
}
