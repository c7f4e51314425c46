package kernel

import "unsafe"

// These turn a value of F = float32 into its plain type, without the
// allocation a conversion through an interface may cost.

func as32[F Float](p *Panels[F]) *Panels[float32] { return (*Panels[float32])(unsafe.Pointer(p)) }

func walk32[F Float](w *Walk[F]) *Walk[float32] { return (*Walk[float32])(unsafe.Pointer(w)) }

func block32[F Float](b Block[F]) Block[float32] {
	return Block[float32]{slice32(b.Data), b.Panel, b.Row}
}

func left32[F Float](a left[F]) left[float32] { return left[float32]{slice32(a.Data), a.Row, a.Col} }

func slice32[F Float](s []F) []float32 { return *(*[]float32)(unsafe.Pointer(&s)) }

func rows32[F Float](r []Rows[F]) []Rows[float32] { return *(*[]Rows[float32])(unsafe.Pointer(&r)) }
