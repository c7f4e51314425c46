package main

import (
	"time"

	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/tensor"
)

// frame is how many samples the model hears at a time: 32 ms.
func frame(rate int) int { return rate * 32 / 1000 }

// speech returns for each frame how likely somebody speaks in it, and how long the
// model took for it. The model is given, before each frame, the last 4 ms of the one
// before.
func speech(m *model.Model, samples []float32, rate int) (p []float32, took []time.Duration, err error) {
	n, before := frame(rate), rate*4/1000
	x := make([]float32, before+n)
	input, err := model.Of(x, 1, len(x))
	if err != nil {
		return nil, nil, err
	}
	hz, err := model.Of([]int64{int64(rate)})
	if err != nil {
		return nil, nil, err
	}
	state, err := model.Of(make([]float32, 2*128), 2, 1, 128)
	if err != nil {
		return nil, nil, err
	}
	pass := m.NewPass() // one allocation-free run after another
	for name, v := range map[string]model.Value{"input": input, "sr": hz, "state": state} {
		if err := pass.Set(name, v); err != nil {
			return nil, nil, err
		}
	}
	for len(samples) > 0 {
		samples = hear(x, samples, n)
		start := time.Now()
		if err := pass.Run(); err != nil {
			return nil, nil, err
		}
		took = append(took, time.Since(start))
		p = append(p, model.Data[float32](pass.Output("output"))[0])
		copy(model.Data[float32](state), model.Data[float32](pass.Output("stateN")))
	}
	return p, took, nil
}

// hear puts the next n samples into x, after the last of those before, and returns
// what is left.
func hear(x, samples []float32, n int) []float32 {
	copy(x, x[n:])
	got := copy(x[len(x)-n:], samples)
	clear(x[len(x)-n+got:])
	return samples[got:]
}

// frames is what the model hears of a sound, a row a frame.
func frames(samples []float32, rate int) tensor.Dense {
	n, before := frame(rate), rate*4/1000
	x := make([]float32, before+n)
	all := tensor.Dense{Shape: []int{0, len(x)}}
	for len(samples) > 0 {
		samples = hear(x, samples, n)
		all.Data = append(all.Data, x...)
		all.Shape[0]++
	}
	return all
}

// segment is where somebody speaks, in samples.
type segment struct{ start, end int }

// segments joins frames as the model's own package does by default: speech begins
// with a frame of at least 0.5, and ends where frames stay below 0.35 for 100 ms (a
// frame between the two decides nothing). What lasts 250 ms or less is left out, and
// 30 ms are added on both sides, or half of what lies between two.
func segments(p []float32, rate, samples int) []segment {
	const begins, ends = 0.5, 0.35
	ms := rate / 1000
	var all []segment
	start, quiet := -1, -1 // of the segment, and of the quiet in it
	for i, v := range p {
		at := i * frame(rate)
		switch {
		case v >= begins:
			quiet = -1
			if start < 0 {
				start = at
			}
		case v < ends && start >= 0:
			if quiet < 0 {
				quiet = at
			}
			if at-quiet >= 100*ms {
				all = add(all, segment{start, quiet}, 250*ms)
				start, quiet = -1, -1
			}
		}
	}
	if start >= 0 {
		all = add(all, segment{start, samples}, 250*ms)
	}
	pad := 30 * ms
	for i := range all {
		s := &all[i]
		if i == 0 {
			s.start = max(0, s.start-pad)
		}
		if i == len(all)-1 {
			s.end = min(samples, s.end+pad)
			break
		}
		next := &all[i+1]
		if between := next.start - s.end; between < 2*pad {
			s.end += between / 2
			next.start -= between / 2
		} else {
			s.end += pad
			next.start -= pad
		}
	}
	return all
}

// add appends what lasts longer than least.
func add(all []segment, s segment, least int) []segment {
	if s.end-s.start > least {
		all = append(all, s)
	}
	return all
}
