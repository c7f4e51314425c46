package main

// backward writes the derivatives of the gates.
func backward(v *vec) {
	v.lstmBackward()
	v.gruBackward()
	v.tanhBackward()
	v.reluBackward()
}

// oneLess leaves 1 - x in to.
func (v *vec) oneLess(x, to string) {
	v.set(v.float(1), to)
	v.op("VSUBPS", x, to, to)
}

// oneLessSquare leaves 1 - x*x in to, rounded once.
func (v *vec) oneLessSquare(x, to string) {
	v.set(v.float(1), to)
	v.op("VFNMADD231PS", x, x, to)
}

// slope leaves x*(1-x), the slope of a sigmoid with the value x, in to.
func (v *vec) slope(x, to string) {
	v.oneLess(x, to)
	v.op("VMULPS", to, x, to)
}

func (v *vec) lstmBackward() {
	v.rowwise("LSTMBackward", 6, func(p []string) {
		rec, c, cp, dh, dc, dz := p[0], p[1], p[2], p[3], p[4], p[5]
		var g [4]string
		for i := range g {
			g[i] = v.get()
			v.load(mem(rec, 64*i), g[i])
		}
		t, d, x, y := v.get(), v.get(), v.get(), v.get()
		v.load(mem(c, 0), t)
		v.tanh(t)
		v.load(mem(dh, 0), x)
		// dz of o: (dh*t) * (o*(1-o))
		v.op("VMULPS", t, x, d)
		v.slope(g[3], y)
		v.op("VMULPS", y, d, d)
		v.flush(d)
		v.store(d, memIndex(dz, "R12", 1, 0))
		// d = (dh*o)*(1-t*t) + dc
		v.op("VMULPS", g[3], x, x)
		v.oneLessSquare(t, y)
		v.load(mem(dc, 0), d)
		v.op("VFMADD231PS", y, x, d)
		v.load(mem(cp, 0), t)
		for _, k := range []struct {
			gate     int
			factor   string
			gradient string
			to       string
		}{{0, g[2], g[0], mem(dz, 0)}, {1, t, g[1], memIndex(dz, "R11", 1, 0)}, {2, g[0], g[2], memIndex(dz, "R11", 2, 0)}} {
			v.op("VMULPS", k.factor, d, x)
			if k.gate == 2 {
				v.oneLessSquare(k.gradient, y)
			} else {
				v.slope(k.gradient, y)
			}
			v.op("VMULPS", y, x, x)
			v.flush(x)
			v.store(x, k.to)
		}
		v.op("VMULPS", g[1], d, d)
		v.flush(d)
		v.store(d, mem(dc, 0))
		v.put(t, d, x, y)
		v.put(g[:]...)
	})
}

func (v *vec) gruBackward() {
	v.rowwise("GRUBackward", 7, func(p []string) {
		rec, nh, hp, dh, dp, dx, dz := p[0], p[1], p[2], p[3], p[4], p[5], p[6]
		r, u, n, d, x, y := v.get(), v.get(), v.get(), v.get(), v.get(), v.get()
		v.load(mem(rec, 0), r)
		v.load(mem(rec, 64), u)
		v.load(mem(rec, 128), n)
		v.load(mem(dh, 0), d)
		// du = (dh*(hp-n)) * (u*(1-u))
		v.load(mem(hp, 0), x)
		v.op("VSUBPS", n, x, x)
		v.op("VMULPS", x, d, x)
		w := v.get()
		v.oneLess(u, w)
		v.op("VMULPS", w, u, y)
		v.op("VMULPS", y, x, x)
		v.flush(x)
		v.store(x, memIndex(dx, "R11", 1, 0))
		v.store(x, memIndex(dz, "R11", 1, 0))
		// dp = dh*u
		v.op("VMULPS", u, d, x)
		v.flush(x)
		v.store(x, mem(dp, 0))
		// dn = (dh*(1-u)) * (1-n*n)
		v.op("VMULPS", w, d, d)
		v.oneLessSquare(n, x)
		v.op("VMULPS", x, d, d)
		v.op("VMULPS", r, d, x) // dnh = dn*r
		v.flush(x)
		v.store(x, memIndex(dz, "R11", 2, 0))
		// dr = (dn*nh) * (r*(1-r))
		v.load(mem(nh, 0), x)
		v.op("VMULPS", x, d, x)
		v.slope(r, y)
		v.op("VMULPS", y, x, x)
		v.flush(x)
		v.store(x, mem(dx, 0))
		v.store(x, mem(dz, 0))
		v.flush(d)
		v.store(d, memIndex(dx, "R11", 2, 0))
		v.put(r, u, n, d, x, y, w)
	})
}

func (v *vec) tanhBackward() {
	v.rowwise("TanhBackward", 3, func(p []string) {
		h, d, y := v.get(), v.get(), v.get()
		v.load(mem(p[0], 0), h)
		v.load(mem(p[1], 0), d)
		v.oneLessSquare(h, y)
		v.op("VMULPS", y, d, d)
		v.flush(d)
		v.store(d, mem(p[2], 0))
		v.put(h, d, y)
	})
}

func (v *vec) reluBackward() {
	v.rowwise("ReLUBackward", 3, func(p []string) {
		h, d, zero := v.get(), v.get(), v.get()
		v.load(mem(p[0], 0), h)
		v.load(mem(p[1], 0), d)
		v.op("VXORPS", zero, zero, zero)
		const above = 0x16 // not less or equal, so a NaN too; quiet
		if v.s.lanes == 16 {
			v.op("VCMPPS", above, zero, h, "K2")
			v.op("VMOVAPS.Z", d, "K2", d)
		} else {
			v.op("VCMPPS", above, zero, h, h)
			v.op("VANDPS", h, d, d)
		}
		v.flush(d)
		v.store(d, mem(p[2], 0))
		v.put(h, d, zero)
	})
}
