package train_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

// TestPlatformsGiveTheSameBits runs the same training on this machine and, in
// emulation, on an arm64 one, whose compiler fuses products into sums wherever
// the code lets it: every loss, gradient and parameter must be the same.
func TestPlatformsGiveTheSameBits(t *testing.T) {
	if testing.Short() || runtime.GOARCH == "arm64" {
		t.Skip("runs an emulated arm64 processor, which takes a while")
	}
	qemu, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		t.Skip("no qemu-aarch64-static here (Debian: qemu-user-static)")
	}
	bin := filepath.Join(t.TempDir(), "train.test")
	build := exec.Command("go", "test", "-c", "-o", bin, ".")
	build.Env = append(os.Environ(), "GOARCH=arm64", "GOOS=linux", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(qemu, bin, "-test.run", "^TestReportDigest$", "-test.v").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	theirs := regexp.MustCompile(`digest .*`).FindAllString(string(out), -1)
	ours := digests(t)
	if len(theirs) != len(ours) {
		t.Fatalf("%d digests there, %d here:\n%s", len(theirs), len(ours), out)
	}
	for i, d := range ours {
		if theirs[i] != d {
			t.Errorf("arm64: %s, here: %s", theirs[i], d)
		}
	}
}

// TestReportDigest logs the digests for TestPlatformsGiveTheSameBits.
func TestReportDigest(t *testing.T) {
	for _, d := range digests(t) {
		t.Log(d)
	}
}

func digests(t *testing.T) []string {
	t.Helper()
	var all []string
	for i, alg := range []train.Algorithm{
		with(train.NewSGD(0.1), func(a *train.SGD) { a.Momentum, a.Nesterov, a.WeightDecay = 0.9, true, 1e-3 }),
		with(train.NewAdam(1e-2), func(a *train.Adam) { a.AMSGrad = true }),
		train.NewAdamW(1e-2),
		train.NewRMSprop(1e-3),
		train.NewAdagrad(1e-2),
	} {
		mode := []unroll.Mode{unroll.LSTM, unroll.GRU, unroll.RNNTanh, unroll.RNNReLU, unroll.LSTM}[i]
		all = append(all,
			"digest "+alg.Name()+" float32 "+digest[float32](t, mode, alg),
			"digest "+alg.Name()+" float64 "+digest[float64](t, mode, alg))
	}
	return all
}

// digest trains a small model for three steps and hashes what it computes.
func digest[F tensor.Float](t *testing.T, mode unroll.Mode, alg train.Algorithm) string {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const vocab, steps, batch = 11, 6, 3
	cfg := unroll.Config{Mode: mode, InputSize: 9, HiddenSize: 19, NumLayers: 2, Bidirectional: true, Dropout: 0.2}
	if alg.Name() == "adagrad" || alg.Name() == "Adagrad" {
		cfg.ProjSize = 7
	}
	m, err := nn.NewOf[F](nn.Config{NumEmbeddings: vocab, RNN: cfg, OutFeatures: vocab, HeadDropout: 0.1})
	check(err)
	g := rng.New(5)
	m.ResetParameters(g)
	opt, err := train.NewOptimizerOf[F](alg)
	check(err)
	p := &nn.PassOf[F]{Model: m, Train: true, Generator: g, Workers: 2}
	loss := nn.CrossEntropyOf[F]{LabelSmoothing: 0.1}
	sum := sha256.New()
	for range 3 {
		tokens, targets := make([]int, steps*batch), make([]int, steps*batch)
		for i := range tokens {
			tokens[i], targets[i] = int(g.Uint32()%vocab), int(g.Uint32()%vocab)
		}
		p.Zero()
		logits, sn, err := p.Forward(nn.InputOf[F]{Tokens: tokens, T: steps, B: batch}, unroll.StateOf[F]{})
		check(err)
		write(sum, logits.Data, sn.H.Data, sn.C.Data)
		d := tensor.DenseOf[F]{Shape: logits.Shape, Data: make([]F, len(logits.Data))}
		v, err := loss.Loss(logits, targets, d.Data)
		check(err)
		norms := []float64{v}
		check(p.Backward(d))
		norm, err := train.ClipGradNorm(p.Params(), 0.5)
		check(err)
		write(sum, append(norms, norm))
		for _, q := range p.Params() {
			write(sum, q.Grad.Data)
		}
		m.Update(func() { err = opt.Step(p.Params()) })
		check(err)
		for _, q := range p.Params() {
			write(sum, q.Value.Data)
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:12])
}

func write[F tensor.Float](h hash.Hash, all ...[]F) {
	for _, x := range all {
		for _, v := range x {
			_ = binary.Write(h, binary.LittleEndian, math.Float64bits(float64(v)))
		}
	}
}
