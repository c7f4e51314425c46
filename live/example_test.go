package live_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/live"
	"github.com/unroll-ml/unroll/rng"
)

func layer() *unroll.Layer {
	l, err := unroll.New(unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 3})
	if err != nil {
		panic(err)
	}
	l.ResetParameters(rng.New(0))
	return l
}

// Many goroutines step their sequences; those that are due go together, and each has
// the bits that it would have alone.
func Example() {
	pool, err := live.New(layer(), live.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	var calls sync.WaitGroup
	last := make([][]float32, 100)
	for call := range last {
		calls.Go(func() {
			y := make([]float32, 3)
			for range 5 {
				if err := pool.Step(context.Background(), fmt.Sprint("call ", call), y, []float32{1, -1}); err != nil {
					fmt.Println(err)
				}
			}
			last[call] = y
		})
	}
	calls.Wait()
	steps, err := pool.Steps("call 17")
	fmt.Println(pool.Len(), "sequences,", steps, "steps", err)
	fmt.Println(last[0][0] == last[99][0])
	// Output:
	// 100 sequences, 5 steps <nil>
	// true
}

// Who sends a step again because the answer was lost gets the answer and makes no
// second step.
func ExamplePool_StepAt() {
	pool, err := live.New(layer(), live.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	ctx, x := context.Background(), []float32{1, 1}
	first, again := make([]float32, 3), make([]float32, 3)
	fmt.Println(pool.StepAt(ctx, "sensor", 0, first, x))
	fmt.Println(pool.StepAt(ctx, "sensor", 0, again, x), first[0] == again[0])
	err = pool.StepAt(ctx, "sensor", 5, again, x)
	var e *live.Error
	fmt.Println(errors.Is(err, live.ErrStep), errors.As(err, &e) && e.Steps == 1)
	// Output:
	// <nil>
	// <nil> true
	// true true
}

// Limits answer at once.
func ExampleOptions() {
	pool, err := live.New(layer(), live.Options{MaxSequences: 1, Strict: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	fmt.Println(pool.Open("a"))
	fmt.Println(errors.Is(pool.Open("b"), live.ErrFull))
	err = pool.Step(context.Background(), "b", make([]float32, 3), make([]float32, 2))
	fmt.Println(errors.Is(err, live.ErrUnknown))
	// Output:
	// <nil>
	// true
	// true
}
