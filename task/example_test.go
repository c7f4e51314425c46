package task_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train"
)

// A program trains a small classifier, keeps it as a folder, opens it again and
// asks it.
func Example() {
	dir, err := os.MkdirTemp("", "task")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "names.csv")
	if err := os.WriteFile(file, []byte("text,label\n"+strings.Repeat("anna,x\nbob,y\nnana,x\nbobo,y\nanne,x\nobo,y\n", 10)), 0o666); err != nil {
		fmt.Println(err)
		return
	}

	t := task.NewClassify()
	set, err := t.Load(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := task.DefaultRecipe()
	r.Mode, r.Hidden, r.Embedding, r.Epochs, r.Algorithm = unroll.GRU, 8, 4, 8, train.NewAdam(2e-2)
	m, err := r.Fit(context.Background(), t, set)
	if err != nil {
		fmt.Println(err)
		return
	}
	model := filepath.Join(dir, "model")
	if err := m.Save(model, "# Names\n"); err != nil {
		fmt.Println(err)
		return
	}

	m, opened, err := task.Open(model)
	if err != nil {
		fmt.Println(err)
		return
	}
	classify, ok := opened.(*task.Classify)
	if !ok {
		fmt.Println("another task")
		return
	}
	answer, err := classify.Classify(&nn.Pass{Model: m}, "hanna")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer[0].Class)
	fmt.Println(set.About)
	// Output:
	// x
	// 60 texts of 2 classes: 48 for training, 6 for validation, 6 for test
}

// The tasks there are, and the options of one, by the names that its errors use.
func ExampleNew() {
	for _, k := range task.Kinds {
		fmt.Println(k.Name)
	}
	t, err := task.New("text")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range t.Arguments() {
		if a.Name == "window" {
			fmt.Println(a.Usage)
		}
	}
	_, err = task.New("tagging")
	fmt.Println(err)
	// Output:
	// music
	// text
	// classify
	// forecast
	// tag
	// text: steps of backpropagation through time
	// task is "tagging", expected music, text, classify, forecast or tag
}

// A recipe is how a task is trained: the command's flags of train are its fields.
func ExampleRecipe() {
	t := task.NewTag()
	r := task.DefaultRecipe()
	r.Bidirectional = true
	_, err := r.Network(t)
	fmt.Println(err)

	_, err = r.Network(task.NewText()) // would read what it has to predict
	fmt.Println(err)
	// Output:
	// <nil>
	// bidirectional would show a text model the answer
}
