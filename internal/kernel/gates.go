package kernel

// The fused gates: what a cell does, unit by unit, between the product of a
// step and its new state. Each works on m rows and the n units of one panel,
// n <= UnitsPer; z holds panel memory as Mul leaves it, gates Lane apart.
// Row r of a slice x starts at x[r*ldx]; lanes from n on are neither read nor
// written, except in z and rec, which have all of them.

// LSTMForward turns the sums z = (i f g o) into the new states, in place in c:
//
//	i, f, o = sigmoid; g = tanh
//	c = flush(fma(f, c, i*g))
//	h = flush(o*tanh(c))
//
// rec, if not nil, receives i f g o after activation in the layout of z (and
// may be z).
func LSTMForward[F Float](m, n int, z []F, ldz int, c []F, ldc int, h []F, ldh int, rec []F, ldr int) {
	if isFloat32[F]() && lstmForward(m, n, slice32(z), ldz, slice32(c), ldc, slice32(h), ldh, slice32(rec), ldr) {
		return
	}
	for r := range m {
		z, c, h := z[r*ldz:r*ldz+4*Lane], c[r*ldc:r*ldc+n], h[r*ldh:r*ldh+n]
		for j := range n {
			i, f, g, o := Sigmoid(z[j]), Sigmoid(z[Lane+j]), Tanh(z[2*Lane+j]), Sigmoid(z[3*Lane+j])
			if rec != nil {
				rec := rec[r*ldr : r*ldr+4*Lane]
				rec[j], rec[Lane+j], rec[2*Lane+j], rec[3*Lane+j] = i, f, g, o
			}
			c[j] = Flush(fma(f, c[j], F(i*g)))
			h[j] = Flush(F(o * Tanh(c[j])))
		}
	}
}

// GRUForward turns the sums z = (r z n, where n is the recurrent part alone)
// and the input's part of n, the third gate of x, into the new state:
//
//	r, u = sigmoid; n = tanh(fma(r, nh, nx))
//	h = flush(fma(u, hp-n, n))
//
// hp is the state before. rec, if not nil, receives r u n in the layout of z
// (and may be x), and nh (m rows of ldn, n lanes) the recurrent part of n.
func GRUForward[F Float](m, n int, z []F, ldz int, x []F, ldx int, hp []F, ldp int, h []F, ldh int, rec []F, ldr int, nh []F, ldn int) {
	if isFloat32[F]() && gruForward(m, n, slice32(z), ldz, slice32(x), ldx, slice32(hp), ldp, slice32(h), ldh, slice32(rec), ldr, slice32(nh), ldn) {
		return
	}
	for r := range m {
		z, x, hp, h := z[r*ldz:r*ldz+3*Lane], x[r*ldx:r*ldx+3*Lane], hp[r*ldp:r*ldp+n], h[r*ldh:r*ldh+n]
		for j := range n {
			reset, update := Sigmoid(z[j]), Sigmoid(z[Lane+j])
			cand := Tanh(fma(reset, z[2*Lane+j], x[2*Lane+j]))
			if rec != nil {
				nh[r*ldn+j] = z[2*Lane+j]
				rec := rec[r*ldr : r*ldr+3*Lane]
				rec[j], rec[Lane+j], rec[2*Lane+j] = reset, update, cand
			}
			h[j] = Flush(fma(update, hp[j]-cand, cand))
		}
	}
}

// TanhForward is h = flush(tanh(z)), and ReLUForward h = flush(relu(z)).
func TanhForward[F Float](m, n int, z []F, ldz int, h []F, ldh int) {
	if isFloat32[F]() && unary(opTanhForward, m, n, slice32(z), ldz, slice32(h), ldh) {
		return
	}
	for r := range m {
		z, h := z[r*ldz:r*ldz+n], h[r*ldh:r*ldh+n]
		for j, v := range z {
			h[j] = Flush(Tanh(v))
		}
	}
}

// ReLUForward is h = flush(relu(z)).
func ReLUForward[F Float](m, n int, z []F, ldz int, h []F, ldh int) {
	if isFloat32[F]() && unary(opReLUForward, m, n, slice32(z), ldz, slice32(h), ldh) {
		return
	}
	for r := range m {
		z, h := z[r*ldz:r*ldz+n], h[r*ldh:r*ldh+n]
		for j, v := range z {
			h[j] = Flush(ReLU(v))
		}
	}
}

// LSTMBackward is the derivative of LSTMForward. Given the gates rec, the
// states c and cp after and before the step, and the gradients dh of h and dc
// of c, it writes the gradients of the four sums to dz (gate g at dz[g*gate])
// and that of cp in place of dc. Every product rounds once, left to right,
// and 1-t*t once, as fma(-t, t, 1):
//
//	t  = tanh(c)
//	dc = fma(dh*o, 1-t*t, dc)
//	dz = (dc*g)*(i*(1-i)), (dc*cp)*(f*(1-f)), (dc*i)*(1-g*g), (dh*t)*(o*(1-o))
//	dcp = dc*f
func LSTMBackward[F Float](m, n int, rec []F, ldr int, c []F, ldc int, cp []F, ldp int, dh []F, ldh int, dc []F, lddc int, dz []F, lddz, gate int) {
	if isFloat32[F]() && lstmBackward(m, n, slice32(rec), ldr, slice32(c), ldc, slice32(cp), ldp, slice32(dh), ldh, slice32(dc), lddc, slice32(dz), lddz, gate) {
		return
	}
	for r := range m {
		rec, c, cp, dh := rec[r*ldr:r*ldr+4*Lane], c[r*ldc:r*ldc+n], cp[r*ldp:r*ldp+n], dh[r*ldh:r*ldh+n]
		dc, dz := dc[r*lddc:r*lddc+n], dz[r*lddz:r*lddz+3*gate+n]
		for j := range n {
			i, f, g, o := rec[j], rec[Lane+j], rec[2*Lane+j], rec[3*Lane+j]
			t := Tanh(c[j])
			d := fma(F(dh[j]*o), fma(-t, t, 1), dc[j])
			dz[j] = Flush(F(F(d*g) * F(i*(1-i))))
			dz[gate+j] = Flush(F(F(d*cp[j]) * F(f*(1-f))))
			dz[2*gate+j] = Flush(F(F(d*i) * fma(-g, g, 1)))
			dz[3*gate+j] = Flush(F(F(dh[j]*t) * F(o*(1-o))))
			dc[j] = Flush(F(d * f))
		}
	}
}

// GRUBackward is the derivative of GRUForward. It writes the gradients of the
// sums r, z and the input's part of n to dx, those of r, z and the recurrent
// part of n to dz (gate g at [g*gate]), and the direct part of the gradient of
// hp to dp, which may be dh:
//
//	dn = (dh*(1-u))*(1-n*n);  dnh = dn*r
//	dr = (dn*nh)*(r*(1-r));   du = (dh*(hp-n))*(u*(1-u));  dp = dh*u
func GRUBackward[F Float](m, n int, rec []F, ldr int, nh []F, ldn int, hp []F, ldp int, dh []F, ldh int, dp []F, lddp int, dx, dz []F, lddz, gate int) {
	if isFloat32[F]() && gruBackward(m, n, slice32(rec), ldr, slice32(nh), ldn, slice32(hp), ldp, slice32(dh), ldh, slice32(dp), lddp, slice32(dx), slice32(dz), lddz, gate) {
		return
	}
	for r := range m {
		rec, nh, hp, dh := rec[r*ldr:r*ldr+3*Lane], nh[r*ldn:r*ldn+n], hp[r*ldp:r*ldp+n], dh[r*ldh:r*ldh+n]
		dp, dx, dz := dp[r*lddp:r*lddp+n], dx[r*lddz:r*lddz+2*gate+n], dz[r*lddz:r*lddz+2*gate+n]
		for j := range n {
			reset, u, cand := rec[j], rec[Lane+j], rec[2*Lane+j]
			d := dh[j]
			dn := F(F(d*(1-u)) * fma(-cand, cand, 1))
			dr := Flush(F(F(dn*nh[j]) * F(reset*(1-reset))))
			du := Flush(F(F(d*(hp[j]-cand)) * F(u*(1-u))))
			dx[j], dx[gate+j], dx[2*gate+j] = dr, du, Flush(dn)
			dz[j], dz[gate+j], dz[2*gate+j] = dr, du, Flush(F(dn*reset))
			dp[j] = Flush(F(d * u))
		}
	}
}

// TanhBackward is dz = dh*(1-h*h) of a tanh unit with output h.
func TanhBackward[F Float](m, n int, h []F, ldh int, dh []F, lddh int, dz []F, lddz int) {
	if isFloat32[F]() && binary(opTanhBackward, m, n, slice32(h), ldh, slice32(dh), lddh, slice32(dz), lddz) {
		return
	}
	for r := range m {
		h, dh, dz := h[r*ldh:r*ldh+n], dh[r*lddh:r*lddh+n], dz[r*lddz:r*lddz+n]
		for j := range n {
			dz[j] = Flush(F(dh[j] * fma(-h[j], h[j], 1)))
		}
	}
}

// ReLUBackward is dz = 0 where the unit's output h is at most zero, else dh; for
// a NaN too, as PyTorch does.
func ReLUBackward[F Float](m, n int, h []F, ldh int, dh []F, lddh int, dz []F, lddz int) {
	if isFloat32[F]() && binary(opReLUBackward, m, n, slice32(h), ldh, slice32(dh), lddh, slice32(dz), lddz) {
		return
	}
	for r := range m {
		h, dh, dz := h[r*ldh:r*ldh+n], dh[r*lddh:r*lddh+n], dz[r*lddz:r*lddz+n]
		for j := range n {
			dz[j] = 0
			if !(h[j] <= 0) {
				dz[j] = Flush(dh[j])
			}
		}
	}
}
