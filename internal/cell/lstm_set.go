package cell

import "github.com/unroll-ml/unroll/internal/kernel"

// lstmSet is the LSTM with settings, ONNX's operator LSTM
// (https://onnx.ai/onnx/operators/onnx__LSTM.html):
//
//	i = f(clip(W_ii x + b_ii + W_hi h + b_hi + p_i*c))    f likewise, or 1-i
//	g = g(clip(W_ig x + b_ig + W_hg h + b_hg))
//	c' = f*c + i*g
//	o = f(clip(W_io x + b_io + W_ho h + b_ho + p_o*c'))
//	h' = o*h(c')
//
// The peepholes p of i, f and o are the unit's own parameters. input_forget is
// what ONNX Runtime makes of it, and the clip does not bound c'.
type lstmSet[F kernel.Float] struct {
	noLate[F]
	noChain
	kind        *Kind
	f, g, h     activation[F]
	less        kernel.Line[F] // 1 - i
	inputForget bool
	peepholes   bool
}

func newLSTMSet[F kernel.Float](k *Kind, s Settings) Cell[F] {
	h := function[F](k, s, 2)
	h.clip = 0
	return &lstmSet[F]{
		kind: k, f: function[F](k, s, 0), g: function[F](k, s, 1), h: h,
		less:        endless[F](-1, 1),
		inputForget: s.InputForget, peepholes: s.Peepholes,
	}
}

func (c *lstmSet[F]) Traits() Traits {
	t := c.kind.Traits
	if c.peepholes {
		t.PerUnit = 3
	}
	return t
}

// The places of the peepholes among the parameters of single units.
const peepI, peepF, peepO = 0, 1, 2

// peep adds the peephole of a place to sums.
func (c *lstmSet[F]) peep(s *Step[F], place int, z kernel.Rows[F]) {
	if c.peepholes {
		p := kernel.Rows[F]{Data: s.PerUnit.Data[place*s.Gate:], Row: s.PerUnit.Row}
		kernel.FMARows(s.M, s.N, z, p, s.C, z)
	}
}

// Forward works in Z, and so does the record where X is: piece by piece, each
// over all rows.
func (c *lstmSet[F]) Forward(s *Step[F]) {
	const lane = kernel.Lane
	f, g, o := lanes(s.Z, 1), lanes(s.Z, 2), lanes(s.Z, 3)
	c.peep(s, peepI, s.Z)
	if c.inputForget {
		c.f.apply(s.M, s.N, s.Z)
		kernel.LineRows(s.M, s.N, f, s.Z, &c.less)
	} else {
		c.peep(s, peepF, f)
		c.f.pair(s.M, s.N, s.Z)
	}
	c.g.apply(s.M, s.N, g)
	kernel.LSTMStateRows(s.M, s.N, s.Z, s.C, s.H)
	c.peep(s, peepO, o)
	c.f.apply(s.M, s.N, o)
	c.h.apply(s.M, s.N, s.H)
	kernel.TimesRows(s.M, s.N, s.H, o, s.H)
	if s.Record {
		for r := range s.M {
			copy(s.X.At(r, 4*lane), s.Z.At(r, 4*lane))
		}
	}
}

// Backward is the derivative of Forward; the gradient of o's sum reaches c' by
// the peephole before that of c' goes on.
func (c *lstmSet[F]) Backward(s *Step[F]) {
	const lane = kernel.Lane
	gate := s.Gate
	var t [4 * kernel.Lane]F
	for r := range s.M {
		rec, state, cp, dh := s.X.At(r, 4*lane), s.C.At(r, s.N), s.CPrev.At(r, s.N), s.DH.At(r, s.N)
		dc, dz := s.DC.At(r, s.N), s.DX.At(r, 3*gate+s.N)
		copy(t[:], state)
		c.h.slice(t[:s.N])
		for j := range dc {
			i, f, g, o := rec[j], rec[lane+j], rec[2*lane+j], rec[3*lane+j]
			do := kernel.Flush(F(F(dh[j]*t[j]) * c.f.back(o)))
			d := kernel.FMA(F(dh[j]*o), c.h.back(t[j]), dc[j])
			d = c.fromPeep(s, r, peepO, j, do, d)
			into, df := F(d*g), kernel.Flush(F(F(d*cp[j])*c.f.back(f)))
			if c.inputForget {
				into, df = kernel.FMA(-d, cp[j], into), 0
			}
			di := kernel.Flush(F(into * c.f.back(i)))
			dz[j], dz[gate+j] = di, df
			dz[2*gate+j] = kernel.Flush(F(F(d*i) * c.g.back(g)))
			dz[3*gate+j] = do
			d = c.fromPeep(s, r, peepI, j, di, F(d*f))
			dc[j] = kernel.Flush(c.fromPeep(s, r, peepF, j, df, d))
		}
	}
}

// fromPeep adds to the gradient d of a cell state what comes through a peephole.
func (c *lstmSet[F]) fromPeep(s *Step[F], r, place, j int, dz, d F) F {
	if !c.peepholes {
		return d
	}
	return kernel.FMA(dz, s.PerUnit.Data[r*s.PerUnit.Row+place*s.Gate+j], d)
}

// PerUnitGrads adds dz*c of each peephole, row by row.
func (c *lstmSet[F]) PerUnitGrads(s *Step[F], grad []F) {
	if !c.peepholes {
		return
	}
	gate := s.Gate
	for r := range s.M {
		state, cp, dz := s.C.At(r, s.N), s.CPrev.At(r, s.N), s.DX.At(r, 3*gate+s.N)
		for j := range cp {
			grad[peepI*gate+j] = kernel.FMA(dz[j], cp[j], grad[peepI*gate+j])
			grad[peepF*gate+j] = kernel.FMA(dz[gate+j], cp[j], grad[peepF*gate+j])
			grad[peepO*gate+j] = kernel.FMA(dz[3*gate+j], state[j], grad[peepO*gate+j])
		}
	}
}
