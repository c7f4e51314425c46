package train

import (
	"math"

	"github.com/unroll-ml/unroll/internal/fmath"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// update is one step's arithmetic, in the order of torch.optim's single-tensor
// loops. Products are converted before they are added, so that no platform
// fuses them.
type update[F tensor.Float] struct {
	alg          Algorithm
	lr, decay, g F // step size, weight decay, 1 or -1 for maximize
	a, b         F // factors of the running averages
	a1, b1       F // what is left of them to 1
	root, eps    F
	first        bool
	keep         F // AdamW: 1 - lr*weight_decay
}

// newUpdate prepares the numbers of step t, counted from 1.
func newUpdate[F tensor.Float](alg Algorithm, h Hyper, t int) update[F] {
	u := update[F]{alg: alg, g: 1, first: t == 1, keep: 1, a: F(h.Momentum), lr: F(h.LR)}
	if maximizes(alg) {
		u.g = -1
	}
	switch a := alg.(type) {
	case SGD:
		u.decay, u.a1 = F(a.WeightDecay), F(1-a.Dampening)
	case Adam:
		u.decay = F(a.WeightDecay)
		u.adam(h, t, a.Betas, a.Eps)
	case AdamW:
		u.keep = F(1 - float64(h.LR*orNil(a.WeightDecay, 1e-2)))
		u.adam(h, t, a.Betas, a.Eps)
	case RMSprop:
		alpha := orNil(a.Alpha, 0.99)
		u.decay, u.b, u.b1, u.eps = F(a.WeightDecay), F(alpha), F(1-alpha), F(or(a.Eps, 1e-8))
	case Adagrad:
		u.decay, u.eps = F(a.WeightDecay), F(or(a.Eps, 1e-10))
		u.lr = F(h.LR / (1 + float64(float64(t-1)*a.LRDecay)))
	}
	return u
}

func maximizes(alg Algorithm) bool {
	switch a := alg.(type) {
	case SGD:
		return a.Maximize
	case Adam:
		return a.Maximize
	case AdamW:
		return a.Maximize
	case RMSprop:
		return a.Maximize
	case Adagrad:
		return a.Maximize
	}
	return false
}

func (u *update[F]) adam(h Hyper, t int, betas *[2]float64, eps float64) {
	_, b2 := orBetas(betas)
	u.a1, u.b, u.b1 = F(1-h.Momentum), F(b2), F(1-b2)
	u.lr = F(h.LR / (1 - fmath.PowInt(h.Momentum, t)))
	u.root = F(math.Sqrt(1 - fmath.PowInt(b2, t)))
	u.eps = F(or(eps, 1e-8))
}

// apply changes p along its gradient d; the state of p[0] stands at index at
// of the slots.
func (u *update[F]) apply(p, d []F, state [][]F, at int) {
	switch a := u.alg.(type) {
	case SGD:
		if a.Momentum == 0 {
			u.plain(p, d)
		} else {
			u.momentum(p, d, state[0][at:at+len(p)], a.Nesterov)
		}
	case Adam, AdamW:
		u.adaptive(p, d, state, at)
	case RMSprop:
		u.rms(p, d, state, at, a)
	case Adagrad:
		sum := state[0][at : at+len(p)]
		for i, w := range p {
			g := u.grad(w, d[i])
			sum[i] += F(g * g)
			p[i] = w - F(u.lr*(g/(sqrt(sum[i])+u.eps)))
		}
	}
}

func (u *update[F]) grad(w, d F) F { return F(u.g*d) + F(u.decay*w) }

func (u *update[F]) plain(p, d []F) {
	d = d[:len(p)]
	if u.g == 1 && u.decay == 0 {
		kernel.SubScaled(p, d, u.lr)
		return
	}
	for i, w := range p {
		p[i] = w - F(u.lr*u.grad(w, d[i]))
	}
}

func (u *update[F]) momentum(p, d, buf []F, nesterov bool) {
	d = d[:len(p)]
	for i, w := range p {
		g := u.grad(w, d[i])
		if u.first {
			buf[i] = g
		} else {
			buf[i] = F(u.a*buf[i]) + F(u.a1*g)
		}
		if nesterov {
			g += F(u.a * buf[i])
		} else {
			g = buf[i]
		}
		p[i] = w - F(u.lr*g)
	}
}

func (u *update[F]) adaptive(p, d []F, state [][]F, at int) {
	d = d[:len(p)]
	m, v := state[0][at:at+len(p)], state[1][at:at+len(p)]
	var most []F
	if len(state) > 2 {
		most = state[2][at : at+len(p)]
	}
	for i, w := range p {
		w = F(w * u.keep)
		g := u.grad(w, d[i])
		m[i] = F(m[i]*u.a) + F(u.a1*g)
		v[i] = F(v[i]*u.b) + F(u.b1*F(g*g))
		s := v[i]
		if most != nil {
			most[i] = max(most[i], s)
			s = most[i]
		}
		p[i] = w - F(u.lr*(m[i]/(sqrt(s)/u.root+u.eps)))
	}
}

func (u *update[F]) rms(p, d []F, state [][]F, at int, a RMSprop) {
	d = d[:len(p)]
	v := state[0][at : at+len(p)]
	var mean, buf []F
	if a.Centered {
		mean = state[1][at : at+len(p)]
	}
	if a.Momentum > 0 {
		buf = state[len(state)-1][at : at+len(p)]
	}
	for i, w := range p {
		g := u.grad(w, d[i])
		v[i] = F(v[i]*u.b) + F(u.b1*F(g*g))
		s := v[i]
		if mean != nil {
			mean[i] = F(mean[i]*u.b) + F(u.b1*g)
			s -= F(mean[i] * mean[i])
		}
		g /= sqrt(s) + u.eps
		if buf != nil {
			buf[i] = F(u.a*buf[i]) + g
			g = buf[i]
		}
		p[i] = w - F(u.lr*g)
	}
}

func sqrt[F tensor.Float](x F) F { return F(math.Sqrt(float64(x))) }
