// Command keras forecasts a day with a Keras model, without Python:
//
//	go run ./examples/keras
//
// load.keras is a file as model.save writes it; make.py trained it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"github.com/unroll-ml/unroll/model"
)

func main() {
	file := flag.String("model", "examples/keras/load.keras", "the model")
	data := flag.String("data", "examples/keras/expect.json", `a JSON file with the last hours: {"last": [...]}`)
	flag.Parse()
	if err := run(*file, *data); err != nil {
		fmt.Fprintln(os.Stderr, "keras:", err)
		os.Exit(1)
	}
}

func run(file, data string) error {
	text, err := os.ReadFile(data)
	if err != nil {
		return err
	}
	var series struct{ Last []float32 }
	if err := json.Unmarshal(text, &series); err != nil {
		return fmt.Errorf("%s: %w", data, err)
	}
	ahead, err := forecast(file, series.Last, 24)
	if err != nil {
		return err
	}
	for i, v := range ahead {
		fmt.Printf("in %2d hours: %6.2f\n", i+1, v)
	}
	return nil
}

// forecast opens a model of one input and one output, and lets it look at what it
// said itself.
func forecast(file string, last []float32, steps int) ([]float32, error) {
	m, err := model.Open(file)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	in, out := m.Inputs()[0].Name, m.Outputs()[0].Name
	window, ahead := append([]float32{}, last...), []float32{}
	for range steps {
		x, err := model.Of(window, 1, len(window), 1)
		if err != nil {
			return nil, err
		}
		y, err := m.Run(map[string]model.Value{in: x})
		if err != nil {
			return nil, err
		}
		next := model.Data[float32](y[out])[0]
		ahead = append(ahead, next)
		window = append(window[1:], next)
	}
	return ahead, nil
}
