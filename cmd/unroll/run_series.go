package main

import (
	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/score"
	"github.com/unroll-ml/unroll/model"
)

// writeSeries writes the final states of series.
func writeSeries(cmd *cobra.Command, file string, rows *model.Rows, list []score.Series) error {
	if file == "" {
		return nil
	}
	set, meta, err := score.Tensors(rows, list)
	if err != nil {
		return err
	}
	if err := handOn(cmd); err != nil {
		return err
	}
	return safetensors.WriteFile(file, set, meta)
}

// readSeries reads the states that another run left.
func readSeries(file string, rows *model.Rows) ([]score.Series, error) {
	if file == "" {
		return nil, nil
	}
	f, err := safetensors.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return score.ReadSeries(f, rows)
}
