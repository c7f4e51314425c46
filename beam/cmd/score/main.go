// Command score is a pipeline: CSV and Parquet tables of many series through a model,
// on any runner of Apache Beam.
//
//	score -model MODEL -group-by COLUMN -sort-by COLUMN -output scores.csv FILE...
//
// It is unroll run --group-by --sort-by --sort over several machines; docs/beam.md
// has the command for each runner.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners"

	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/exec/optimized" // calls without reflection
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/gcs"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/local"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/dataflow"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/flink"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/spark"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/universal"

	unrollbeam "github.com/unroll-ml/unroll/beam"
)

var (
	modelFile = flag.String("model", "", "`file` or folder of the model, on every worker or in a file system of Beam")
	send      = flag.Bool("send", false, "send the model's file along with the pipeline: workers need not have it")
	chain     = flag.String("chain", "", "`line` over the modules of a PyTorch state dict; see unroll run --chain")
	groupBy   = flag.String("group-by", "", "`column` that names the series")
	sortBy    = flag.String("sort-by", "", "`column` of the time; without it the files' order counts")
	columns   = flag.String("columns", "", "`columns` of numbers, separated by commas; all others without it")
	finite    = flag.Bool("refuse-nonfinite", false, "a record whose numbers or new state are not finite is bad")
	statesIn  = flag.String("states-in", "", "`files` of states of the run before, separated by commas")
	statesOut = flag.String("states-out", "", "`file` for the states, .safetensors")
	output    = flag.String("output", "", "`file` for the outputs, .csv or .parquet")
	badOut    = flag.String("bad", "", "`file` for bad records, as lines of JSON")
	shards    = flag.Int("shards", 1, "`number` of files that each output becomes")
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "score -model MODEL -group-by COLUMN [-sort-by COLUMN] -output FILE INPUT...")
		flag.PrintDefaults()
	}
	flag.Parse()
	beam.Init() // on a worker this is where it serves, and ends
	if err := run(context.Background(), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "score:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, inputs []string) error {
	switch {
	case *modelFile == "" || *groupBy == "":
		return errors.New("-model and -group-by are needed")
	case len(inputs) == 0:
		return errors.New("no input: name files of CSV or Parquet after the flags")
	case *output == "" && *statesOut == "":
		return errors.New("-output or -states-out is needed")
	case *shards < 1:
		return fmt.Errorf("-shards %d: expected at least 1", *shards)
	}
	o := unrollbeam.Options{Model: *modelFile, Untimed: *sortBy == "", RefuseNonFinite: *finite}
	o.Open.Chain = *chain
	if *send {
		var err error
		if o.Bytes, err = os.ReadFile(*modelFile); err != nil {
			return err
		}
	}
	p, s := beam.NewPipelineWithRoot()
	build(s, o, inputs)
	runner := *runners.Runner
	if runner == "" {
		runner = "prism"
	}
	_, err := beam.Run(ctx, runner, p)
	return err
}

// build is the pipeline: read, score, write.
func build(s beam.Scope, o unrollbeam.Options, inputs []string) {
	c := unrollbeam.Columns{Key: *groupBy, Time: *sortBy, X: list(*columns)}
	records, unread := unrollbeam.ReadTables(s, c, beam.CreateList(s, inputs))
	var begin beam.PCollection
	if files := list(*statesIn); files != nil {
		begin = unrollbeam.ReadStates(s, o, beam.CreateList(s, files))
	}
	got := unrollbeam.Score(s, o, records, begin)
	if *output != "" {
		unrollbeam.WriteTable(s, o, got.Series, unrollbeam.File{Name: *output, Shards: *shards}, *groupBy, *sortBy)
	}
	if *statesOut != "" {
		unrollbeam.WriteStates(s, o, got.States, unrollbeam.File{Name: *statesOut, Shards: *shards})
	}
	if *badOut != "" {
		unrollbeam.WriteBad(s, beam.Flatten(s, unread, got.Bad), unrollbeam.File{Name: *badOut, Shards: *shards})
	}
}

// list are texts separated by commas; nil of none.
func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
