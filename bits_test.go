package unroll_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit/levels"
	"github.com/unroll-ml/unroll/tensor"
)

// Results keep their bits from version to version. testdata/bits/layers.json
// holds hashes of what 160 drawn layers of each element type gave when they were
// first written: output, states, record, gradients and three steps of training.
// An entry changes only with the definition of the arithmetic, never with the
// code that computes it: the 8 of 20 sequences with lengths did, when ties came to
// stand as torch.sort leaves them.

var writeBits = flag.Bool("write-bits", false, "write hashes of entries that testdata/bits lacks")

const bitsFile = "testdata/bits/layers.json"

func TestResultsKeepTheirBits(t *testing.T) {
	want := map[string]string{}
	data, err := os.ReadFile(bitsFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	seen := 0
	check := func(name string, hash func() string) {
		seen++
		levels.Each(func(level string) {
			got := hash()
			if _, known := want[name]; !known && *writeBits {
				want[name] = got
			}
			if want[name] != got {
				t.Errorf("%s at level %s has hash %s, want %s", name, level, got, want[name])
			}
		})
	}
	for i := range 160 {
		single, double := drawBits[float32](t, i), drawBits[float64](t, i)
		check(single.String(), func() string { return single.hash(t) })
		check(double.String(), func() string { return double.hash(t) })
	}
	if *writeBits {
		data, _ := json.MarshalIndent(want, "", " ") // strings alone
		if err := os.WriteFile(bitsFile, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if seen != len(want) {
		t.Errorf("%d entries, %s has %d", seen, bitsFile, len(want))
	}
}

// bitsTrial is a trial that depends on nothing but its number.
type bitsTrial[F tensor.Float] struct {
	trial[F]
	number int
	params []F
}

func (k *bitsTrial[F]) String() string {
	var f F
	s := fmt.Sprintf("%03d %T %v T=%d B=%d", k.number, f, k.layer.Config(), k.t, k.b)
	for _, option := range []struct {
		on   bool
		name string
	}{{k.lengths != nil, " lengths"}, {k.resets != nil, " resets"}, {k.train, " train"}, {!k.s0.H.IsZero(), " s0"}} {
		if option.on {
			s += option.name
		}
	}
	return s
}

// source is splitmix64, which stands here so that nothing else can change it.
type source uint64

func (s *source) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (s *source) below(n int) int { return int(s.next() % uint64(n)) }

// fillFrom draws multiples of 2^-20 within +-scale, exact in both types.
func fillFrom[F tensor.Float](s *source, dst []F, scale int) {
	for i := range dst {
		dst[i] = F(int(s.next()%(uint64(scale)<<21))-scale<<20) / (1 << 20)
	}
}

func drawBits[F tensor.Float](t *testing.T, i int) bitsTrial[F] {
	s := source(i)
	c := unroll.Config{
		Mode:          unroll.Mode(i % 4),
		InputSize:     []int{0, 1, 3, 16, 33}[s.below(5)],
		HiddenSize:    []int{1, 2, 5, 15, 16, 17, 33, 65}[s.below(8)],
		NumLayers:     1 + s.below(3),
		NoBias:        s.below(4) == 0,
		BatchFirst:    s.below(3) == 0,
		Bidirectional: s.below(2) == 0,
		Dropout:       []float64{0, 0.3, 0.5}[s.below(3)],
	}
	if c.Mode == unroll.LSTM && c.HiddenSize > 1 && s.below(3) == 0 {
		c.ProjSize = 1 + s.below(c.HiddenSize-1)
	}
	k := bitsTrial[F]{trial: newTrial[F](t, c, uint64(i)), number: i}
	k.t, k.b = []int{1, 2, 5, 9, 24}[s.below(5)], []int{1, 2, 3, 7, 20}[s.below(5)]
	k.train = s.below(2) == 0
	if s.below(3) == 0 {
		for range k.b {
			k.lengths = append(k.lengths, 1+s.below(k.t))
		}
	}
	if s.below(3) == 0 {
		for range k.t * k.b {
			k.resets = append(k.resets, s.below(4) == 0)
		}
	}
	k.fill(s.below(2) == 0)
	fillFrom(&s, k.x.Data, 2)
	fillFrom(&s, k.dy.Data, 1)
	for _, d := range []tensor.DenseOf[F]{k.s0.H, k.s0.C, k.dsn.H, k.dsn.C} {
		fillFrom(&s, d.Data, 1)
	}
	for _, p := range k.layer.Params() {
		at := len(k.params)
		k.params = append(k.params, p.Value.Data...)
		fillFrom(&s, k.params[at:], 1)
	}
	return k
}

// hash runs all and hashes the bits of every result.
func (k *bitsTrial[F]) hash(t *testing.T) string {
	sum := sha256.New()
	add := func(results numbers[F]) {
		for _, n := range results {
			fmt.Fprintf(sum, "%s %d\n", n.name, len(n.data))
			for _, v := range n.data {
				bits := math.Float64bits(float64(v)) // one to one also for a float32
				if v != v {
					bits = 0x7ff8 << 48
				}
				fmt.Fprintf(sum, "%016x", bits)
			}
		}
	}
	k.layer.Update(func(params []unroll.ParamOf[F]) {
		from := k.params
		for _, p := range params {
			from = from[copy(p.Value.Data, from):]
		}
	})
	p := k.pass()
	p.Workers = 1 + k.number%3
	add(k.forward(t, p))
	p.Record = true
	for range 3 {
		p.Grads = nil
		add(k.forward(t, p))
		add(record(t, p))
		add(k.backward(t, p))
		k.layer.Update(func(params []unroll.ParamOf[F]) {
			for i, g := range p.Grads.Params() {
				for j, v := range g.Value.Data {
					params[i].Value.Data[j] -= F(v / 256)
				}
			}
		})
	}
	return hex.EncodeToString(sum.Sum(nil)[:12])
}
