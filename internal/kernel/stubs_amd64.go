//go:build amd64 && !purego

package kernel

import "unsafe"

//go:generate go run -C _asm . -out ..

// mul512 and mul256, on 16 and 8 lanes: for every panel, block of rows, row of
// the block and column c
//
//	acc := init[c]
//	for k := range depth { acc = FMA32(a[row*r+col*k], w[k*cols+c], acc) }
//	dst[c] = acc
//
// where the last 16 columns start from last instead of init.
//
//go:noescape
func mul512(p *mulArgs)

//go:noescape
func mul256(p *mulArgs)

// mul8x512 and mul8x256, on 16 and 4 columns: the loop of Mul8, or with raw of
// Sums8, for every panel, block of rows, row of the block and column.
//
//go:noescape
func mul8x512(p *mul8Args)

//go:noescape
func mul8x256(p *mul8Args)

// for i := range 16*n { least, most = max(least, bits of x[i]), max(most, int32(bits of x[i])) }
//
//go:noescape
func bounds512(x *float32, n int) (least uint32, most int32)

//go:noescape
func bounds256(x *float32, n int) (least uint32, most int32)

// for i := range 16*n { dst[i] = nearest(src[i]*times) + zero, at least 0, at most 255 }
//
//go:noescape
func quantise512(dst *uint8, src *float32, n int, times float32, zero int32)

//go:noescape
func quantise256(dst *uint8, src *float32, n int, times float32, zero int32)

// for i := range 16*n { dst[i] = nearest(src[i]/scale) + zero, at least 0, at most 255 }
//
//go:noescape
func bytes512(dst *uint8, src *float32, n int, scale float32, zero int32)

//go:noescape
func bytes256(dst *uint8, src *float32, n int, scale float32, zero int32)

// mul512h and mul256h are mul512 and mul256 with weights of bfloat16: w[k*cols+c]
// is the upper half of a float32.
//
//go:noescape
func mul512h(p *mulArgs)

//go:noescape
func mul256h(p *mulArgs)

// mul512a and mul256a are the loop of Slide for lines of positions and one panel, or
// for some of its k: the sums of further ones start from dst.
//
//go:noescape
func mul512a(p *mulArgs)

//go:noescape
func mul256a(p *mulArgs)

// call runs a routine of fused256, fused512, chains256 or chains512 with its
// arguments. A routine takes DI as their address and follows no calling
// convention of Go. What each computes is said where its operation is named.
//
//go:noescape
func call(routine uintptr, args unsafe.Pointer)

// for b := range m: for i, j in lanes x lanes
//
//	p[1][(b*lanes+i)*ld1+j] = p[0][b*lanes+i+j*gate], or +0 if closer to zero than consts[0]
//
//go:noescape
func transpose512(a *gateArgs)

//go:noescape
func transpose256(a *gateArgs)

// for range n { 24 independent fused multiply-adds of one register }
//
//go:noescape
func peak512(n int)

//go:noescape
func peak256(n int)

// for range n { PAUSE }
//
//go:noescape
func pause(n int)

// for i := range 8*n (4*n with 256): x[i] = fmath.Exp(x[i]), up to the first
// block with a number outside [-708, 709]; returns the blocks done.
//
//go:noescape
func exp512(x *float64, n int) int

//go:noescape
func exp256(x *float64, n int) int

// for i := range 8*n (4*n with 256): dst[i] = fmath.Exp(float64(src[i])-m), up to the
// first block with a difference outside [-708, 709]; returns the blocks done.
//
//go:noescape
func expShifted512(dst *float64, src *float32, n int, m float64) int

//go:noescape
func expShifted256(dst *float64, src *float32, n int, m float64) int

// for i := range 8*n { dst[i] = float32(src[i]*k) }
//
//go:noescape
func narrow512(dst *float32, src *float64, n int, k float64)

//go:noescape
func narrow256(dst *float32, src *float64, n int, k float64)

// for i := range 16*n { lanes[i%16] = max(lanes[i%16], x[i]) }; returns bits, not all
// 0 if one is NaN.
//
//go:noescape
func largest512(x *float32, n int, lanes *[16]float32) uint32

//go:noescape
func largest256(x *float32, n int, lanes *[16]float32) uint32

// for i := range 4*n { sums[i%4] += float64(x[i])*float64(x[i]) }
//
//go:noescape
func squares256(x *float32, n int, sums *[4]float64)

// the loop of AdamStep.Step for 16*n elements
//
//go:noescape
func adam512(p, d, m, v *float32, n int, by *AdamStep)

//go:noescape
func adam256(p, d, m, v *float32, n int, by *AdamStep)

// for i := range 8*n { dst[i] -= a*src[i] }, the product rounded
//
//go:noescape
func subScaled256(dst, src *float32, n int, a float32)
