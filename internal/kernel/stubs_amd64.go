//go:build amd64 && !purego

package kernel

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

// The fused gates: for every row and lane what the loop body of the function
// named with a capital in gates.go does; p[0], p[1], ... are its slices in the
// order of its parameters.

//go:noescape
func lstmForward512(a *gateArgs)

//go:noescape
func lstmForward256(a *gateArgs)

//go:noescape
func gruForward512(a *gateArgs)

//go:noescape
func gruForward256(a *gateArgs)

//go:noescape
func tanhForward512(a *gateArgs)

//go:noescape
func tanhForward256(a *gateArgs)

//go:noescape
func reluForward512(a *gateArgs)

//go:noescape
func reluForward256(a *gateArgs)

//go:noescape
func lstmBackward512(a *gateArgs)

//go:noescape
func lstmBackward256(a *gateArgs)

//go:noescape
func gruBackward512(a *gateArgs)

//go:noescape
func gruBackward256(a *gateArgs)

//go:noescape
func tanhBackward512(a *gateArgs)

//go:noescape
func tanhBackward256(a *gateArgs)

//go:noescape
func reluBackward512(a *gateArgs)

//go:noescape
func reluBackward256(a *gateArgs)

// for i := range n { p[1][i] = Tanh32(p[0][i]) }
//
//go:noescape
func tanhTo512(a *gateArgs)

//go:noescape
func tanhTo256(a *gateArgs)

// for i := range n { p[1][i] = Sigmoid32(p[0][i]) }
//
//go:noescape
func sigmoidTo512(a *gateArgs)

//go:noescape
func sigmoidTo256(a *gateArgs)

// for i := range n { p[1][i] = Flush(p[0][i]) }
//
//go:noescape
func flushTo512(a *gateArgs)

//go:noescape
func flushTo256(a *gateArgs)

// for b := range m: for i, j in lanes x lanes
//
//	p[1][(b*lanes+i)*ld1+j] = Flush(p[0][b*lanes+i+j*gate])
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

// The chains: what Chain's comment says.

//go:noescape
func tanhChain512(a *chainArgs)

//go:noescape
func tanhChain256(a *chainArgs)

//go:noescape
func reluChain512(a *chainArgs)

//go:noescape
func reluChain256(a *chainArgs)

//go:noescape
func lstmChain512(a *chainArgs)

//go:noescape
func lstmChain256(a *chainArgs)

//go:noescape
func gruChain512(a *chainArgs)

//go:noescape
func gruChain256(a *chainArgs)

// for i := range 8*n (4*n with 256): x[i] = fmath.Exp(x[i]), up to the first
// block with a number outside [-708, 709]; returns the blocks done.
//
//go:noescape
func exp512(x *float64, n int) int

//go:noescape
func exp256(x *float64, n int) int

// for i := range 4*n { sums[i%4] += float64(x[i])*float64(x[i]) }
//
//go:noescape
func squares256(x *float32, n int, sums *[4]float64)

// for i := range 8*n { dst[i] -= a*src[i] }, the product rounded
//
//go:noescape
func subScaled256(dst, src *float32, n int, a float32)
