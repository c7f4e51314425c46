// Command ort_worker is the ONNX Runtime peer (C library through cgo).
// The library's path comes from ORT_LIB. The variant int8 runs the model that its
// dynamic quantisation wrote.
package main

import (
	"os"
	"time"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/unroll-ml/unroll/bench/go/internal/wl"
)

func must(err error) {
	if err != nil {
		wl.Fatal(err)
	}
}

func main() {
	t0 := time.Now()
	c := wl.FromArgs()
	if c.Mode != "fwd" {
		wl.Skip("inference only")
	}
	t1 := time.Now()
	ort.SetSharedLibraryPath(os.Getenv("ORT_LIB"))
	must(ort.InitializeEnvironment())
	t2 := time.Now()
	opt, err := ort.NewSessionOptions()
	must(err)
	must(opt.SetIntraOpNumThreads(c.Threads))
	must(opt.SetInterOpNumThreads(1))
	must(opt.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll))
	in, out := []string{"x", "h0"}, []string{"y", "hn"}
	lstm := c.Kind == "lstm"
	if lstm {
		in, out = append(in, "c0"), append(out, "cn")
	}
	ending := ".onnx"
	if c.Variant != "" {
		ending = "." + c.Variant + ending
	}
	s, err := ort.NewDynamicAdvancedSession(c.DataDir+"/"+c.Name+ending, in, out, opt)
	must(err)
	t3 := time.Now()

	tensor := func(v []float32, shape ...int64) *ort.Tensor[float32] {
		t, err := ort.NewTensor(ort.NewShape(shape...), v)
		must(err)
		return t
	}
	T, B, I, H := int64(c.T), int64(c.B), int64(c.I), int64(c.H)
	LD, D := int64(c.L*c.D), int64(c.D)
	x := tensor(c.Tensors["x"], T, B, I)
	y := tensor(make([]float32, T*B*D*H), T, B, D*H)
	n := LD * B * H
	var st [2][]ort.Value // state in, state out
	st[0] = []ort.Value{tensor(c.Tensors["h0"], LD, B, H)}
	st[1] = []ort.Value{tensor(make([]float32, n), LD, B, H)}
	if lstm {
		st[0] = append(st[0], tensor(c.Tensors["c0"], LD, B, H))
		st[1] = append(st[1], tensor(make([]float32, n), LD, B, H))
	}
	// Two bindings, so that a carried state goes back in without a copy.
	var bind [2]*ort.IoBinding
	for p := range bind {
		b, err := s.CreateIoBinding()
		must(err)
		must(b.BindInput("x", x))
		must(b.BindOutput("y", y))
		must(b.BindInput("h0", st[p][0]))
		must(b.BindOutput("hn", st[1-p][0]))
		if lstm {
			must(b.BindInput("c0", st[p][1]))
			must(b.BindOutput("cn", st[1-p][1]))
		}
		bind[p] = b
	}
	k := 0
	call := func() {
		must(s.RunWithBinding(bind[k&1]))
		if c.Carry {
			k++
		}
	}
	t4 := time.Now()
	call()
	t5 := time.Now()
	wl.Serve(map[string]any{
		"err": c.MaxErr(y.GetData(), "y"), "version": ort.GetVersion(),
		"data_s": t1.Sub(t0).Seconds(), "lib_s": t2.Sub(t1).Seconds(),
		"build_s": t3.Sub(t2).Seconds(), "first_s": t5.Sub(t4).Seconds(),
	}, call)
}
