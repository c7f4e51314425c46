// Command ort_grid is the ONNX Runtime side of grid.py, forward passes only.
// usage: ort_grid THREADS FOLDER, with a model MODE-I-H.onnx of each layer there and the
// library's path in ORT_LIB
package main

import (
	"fmt"
	"os"
	"strconv"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/unroll-ml/unroll/bench/go/internal/gridline"
)

var must = gridline.Must

func main() {
	threads, err := strconv.Atoi(os.Args[1])
	must(err)
	ort.SetSharedLibraryPath(os.Getenv("ORT_LIB"))
	must(ort.InitializeEnvironment())
	opt, err := ort.NewSessionOptions()
	must(err)
	must(opt.SetIntraOpNumThreads(threads))
	must(opt.SetInterOpNumThreads(1))
	done := func() {}
	gridline.Serve(threads, func(s gridline.Shape) func() {
		done()
		done = func() {}
		if s.Training {
			return nil
		}
		call, end := caseOf(s, os.Args[2], opt)
		done = end
		return call
	})
}

func caseOf(s gridline.Shape, folder string, opt *ort.SessionOptions) (call, done func()) {
	session, err := ort.NewDynamicAdvancedSession(fmt.Sprintf("%s/%s-%d-%d.onnx", folder, s.Mode, s.Input, s.Hidden), []string{"x"}, []string{"y"}, opt)
	must(err)
	values := make([]float32, s.Steps*s.Rows*s.Input)
	for i := range values {
		values[i] = float32(i%17)/8 - 1
	}
	x, err := ort.NewTensor(ort.NewShape(int64(s.Steps), int64(s.Rows), int64(s.Input)), values)
	must(err)
	y, err := ort.NewTensor(ort.NewShape(int64(s.Steps), 1, int64(s.Rows), int64(s.Hidden)), make([]float32, s.Steps*s.Rows*s.Hidden))
	must(err)
	b, err := session.CreateIoBinding()
	must(err)
	must(b.BindInput("x", x))
	must(b.BindOutput("y", y))
	return func() { must(session.RunWithBinding(b)) }, func() {
		must(b.Destroy())
		must(session.Destroy())
		must(x.Destroy())
		must(y.Destroy())
	}
}
