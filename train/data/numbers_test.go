package data_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
	"github.com/unroll-ml/unroll/train/data"
)

// The same sequences give the same batches from a CSV file, from JSON Lines and
// from lists of lists: standardised over the training part, padded with zeros.
func TestNumbersAreTheSameFromEveryFormat(t *testing.T) {
	csv, lines, lists := "text,label\n", "", ""
	for i := range 20 {
		label := []string{"x", "y"}[i%2]
		var one, list []string
		for k := range 1 + i%3 {
			one = append(one, fmt.Sprint(i*10+k))
			list = append(list, fmt.Sprintf("[%d]", i*10+k))
		}
		csv += strings.Join(one, " ") + "," + label + "\n"
		lines += `{"text":[` + strings.Join(one, ",") + `],"label":"` + label + "\"}\n"
		lists += `{"text":[` + strings.Join(list, ",") + `],"label":"` + label + "\"}\n"
	}
	var want train.Batch
	for i, path := range []string{write(t, "n.csv", csv), write(t, "n.jsonl", lines), write(t, "l.jsonl", lists)} {
		d, err := numbers(32).Load(path)
		if err != nil {
			t.Fatal(err)
		}
		var b train.Batch
		d.Train.Start(nil)
		d.Train.Batch(0, &b)
		if i == 0 {
			want = b
			sum, squares, n := 0.0, 0.0, 0.0
			for c, l := range b.Lengths {
				for k := range b.In.Features.Shape[0] {
					v := float64(b.In.Features.Data[k*len(b.Lengths)+c])
					if k >= l && v != 0 {
						t.Errorf("%v beyond the end of item %d", v, c)
					}
					if k < l {
						sum, squares, n = sum+v, squares+v*v, n+1
					}
				}
			}
			if math.Abs(sum/n) > 1e-6 || math.Abs(squares/n-1) > 1e-6 {
				t.Errorf("mean %v and mean square %v after scaling, want 0 and 1", sum/n, squares/n)
			}
			continue
		}
		if fmt.Sprint(b) != fmt.Sprint(want) {
			t.Errorf("%s: %v\nwant %v", path, b, want)
		}
	}
}

// Rising and falling sequences are told apart after a few epochs, and Item
// reads them as training does.
func TestNumbersAreLearnt(t *testing.T) {
	s := "text,label\n"
	for i := range 120 {
		n, step := 3+i%5, 1-2*(i%2)
		var v []string
		for k := range n {
			v = append(v, fmt.Sprint(100+(i*37%11)+step*k))
		}
		s += strings.Join(v, " ") + "," + []string{"rise", "fall"}[i%2] + "\n"
	}
	c := numbers(8)
	d, err := c.Load(write(t, "n.csv", s))
	if err != nil {
		t.Fatal(err)
	}
	cfg := c.Network()
	cfg.RNN.Mode, cfg.RNN.HiddenSize = unroll.GRU, 12
	m, err := nn.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	g := rng.New(1)
	m.ResetParameters(g)
	o, _ := train.NewOptimizer(train.NewAdam(.02))
	l := &train.Loop{Model: m, Data: d.Train, Objective: d.Objective, Optimizer: o, Generator: g, Epochs: 30}
	for _, err := range l.Run(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	right, all := 0, 0
	_, err = train.Evaluate(m, d.Test, d.Objective, 1, func(b *train.Batch, y tensor.Dense) error {
		for n, want := range b.Classes {
			all++
			if (y.Data[2*n+1] > y.Data[2*n]) == (want == 1) {
				right++
			}
		}
		return nil
	})
	if err != nil || right < all-1 {
		t.Errorf("%d of %d right, %v", right, all, err)
	}
	got, err := c.Classify(&nn.Pass{Model: m}, "104 105 106 107")
	if err != nil || got[0].Class != "rise" {
		t.Errorf("a rising sequence: %v, %v", got, err)
	}
}

func numbers(batch int) *task.Classify {
	c := task.NewClassify()
	c.Cut = task.Cut{Batch: batch, Valid: .2, Test: .2, Seed: 1}
	c.Level = "number"
	return c
}

// A text of numbers is read in steps of the model's width, a line each or one
// after another.
func TestTextsOfNumbers(t *testing.T) {
	c := numbers(1)
	c.Scaling, c.Classes = &data.Scaling{Mean: []float64{0, 0}, Std: []float64{1, 2}}, []string{"a", "b"}
	for _, s := range []string{"1 2\n3 4", "1,2,3,4", "1;2 3;4"} {
		in, err := c.Input(s)
		if err != nil || fmt.Sprint(in.Features.Shape, in.Features.Data) != "[2 1 2] [1 1 3 2]" {
			t.Errorf("%q: %v %v, %v", s, in.Features.Shape, in.Features.Data, err)
		}
	}
	for _, s := range []string{"", "1 2 3", "1 x", "1 2 3\n4 5 6", "1e999 2"} {
		if _, err := c.Input(s); err == nil {
			t.Errorf("%q was read", s)
		}
	}
}
