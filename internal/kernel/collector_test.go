package kernel

import (
	"runtime"
	"testing"
	"time"
)

// TestCollectorSeesNoPointerBeyondTheEnd runs products and gates whose memory
// ends where another span may begin or none is, while the garbage collector
// looks at every stack: a pointer that assembly left beyond the end would stop
// the process.
func TestCollectorSeesNoPointerBeyondTheEnd(t *testing.T) {
	length := 2 * time.Second
	if testing.Short() {
		length /= 4
	}
	stop, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	calls := 0
	for end := time.Now().Add(length); time.Now().Before(end); {
		for _, gates := range []int{1, 3, 4} {
			w := NewPanels[float32](256, 128, gates)
			cols, n := w.MaxCols(), w.Len()
			_ = make([]float32, len(w.Data)) // garbage behind it
			dst, init, a := make([]float32, n*cols*4), make([]float32, n*cols*4), make([]float32, 256*4)
			c, h := make([]float32, 4*16), make([]float32, 4*16)
			for m := 1; m <= 4; m++ {
				for range 50 {
					Mul(w, 0, n, Block[float32]{dst, cols * 4, cols}, Block[float32]{init, cols * 4, cols}, nil, Mat[float32]{a, 256, 1}, m)
					LSTMForward(m, 16, dst, 64, c, 16, h, 16, nil, 0)
					TanhTo(h, c)
					calls++
				}
			}
		}
	}
	close(stop)
	<-done
	t.Log(calls, "calls")
}
