package main

import (
	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// loadStates reads the states of a recurrent layer from a file, under any of their
// names; output, which --output writes beside them, is passed over.
func loadStates[F tensor.Float](cmd *cobra.Command, file string) (s unroll.StateOf[F], err error) {
	src, done, err := openArrays(cmd, file, checkpoint.TypeOf[F]())
	if err != nil {
		return s, err
	}
	defer done()
	halves := map[string]*tensor.DenseOf[F]{"hx": &s.H, "cx": &s.C}
	taken := map[string]string{}
	for _, name := range src.Names() {
		state := stateNames[name]
		switch {
		case state == "" && name == "output":
		case state == "":
			return s, errInput(shown(file), "it holds %q, which is no state; a recurrent layer has hx and cx (or h_0, h0, h_n and c_0, c0, c_n)", name)
		case taken[state] != "":
			return s, errInput(shown(file), "it holds %q and %q, which are the same state; leave one out", taken[state], name)
		default:
			taken[state] = name
			if *halves[state], err = checkpoint.Float[F](src, name); err != nil {
				return s, err
			}
		}
	}
	if s.IsZero() {
		return s, errInput(shown(file), "it holds no state; a recurrent layer has hx and cx (or h_0, h0, h_n and c_0, c0, c_n)")
	}
	return s, nil
}

// startFrom gives an input the states of --states-in.
func (in *runInput[F]) startFrom(cmd *cobra.Command, file string) error {
	if file == "" {
		return nil
	}
	if !in.s0.IsZero() {
		return usagef("the states come from INPUT and from --states-in %s; leave one out", file)
	}
	st, err := loadStates[F](cmd, file)
	in.s0 = ofSequences(st, in.x.Rank())
	return err
}

// ofSequences gives the states of one sequence the axis of sequences that input of
// three dimensions has, or takes it away.
func ofSequences[F tensor.Float](st unroll.StateOf[F], rank int) unroll.StateOf[F] {
	for _, half := range []*tensor.DenseOf[F]{&st.H, &st.C} {
		switch s := half.Shape; {
		case rank == 3 && len(s) == 2:
			*half = reshaped(*half, s[0], 1, s[1])
		case rank == 2 && len(s) == 3 && s[1] == 1:
			*half = reshaped(*half, s[0], s[2])
		}
	}
	return st
}

// streamFrom sets the states of a stream of one sequence to those of a file, with
// or without an axis for it.
func streamFrom[F tensor.Float](cmd *cobra.Command, s *unroll.StreamOf[F], file string) error {
	if file == "" {
		return nil
	}
	st, err := loadStates[F](cmd, file)
	if err != nil {
		return err
	}
	return s.SetState(ofSequences(st, 3))
}

// layerStates writes the final states of a layer, which are all but the output.
func layerStates[F tensor.Float](cmd *cobra.Command, file string, results []result[F]) error {
	if file == "" {
		return nil
	}
	var states []result[F]
	for _, r := range results {
		if r.name == "h_n" || r.name == "c_n" {
			states = append(states, r)
		}
	}
	if err := handOn(cmd); err != nil {
		return err
	}
	return writeResults(cmd, file, states)
}

// handOn writes out what standard output still keeps. States come after all of the
// output: a run that ends in between is run again from the states before it.
func handOn(cmd *cobra.Command) error {
	if f, ok := cmd.OutOrStdout().(interface{ Flush() error }); ok {
		return f.Flush()
	}
	return nil
}
