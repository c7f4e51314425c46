package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/tensor"
)

// nobody is a name that nothing has.
const nobody = "nobody_7"

// freeTexts are flags whose text is no name among others.
var freeTexts = []string{"prompt", "text", "listen", "grpc"}

// TestNamesThatNothingHasAreRefused: a flag that takes a name, of a tensor, a column,
// a layer, an input, a class of things, refuses one that is none, names itself and it,
// and says which there are. Every flag that takes text is here or among freeTexts.
func TestNamesThatNothingHasAreRefused(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) string {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return at(name)
	}
	layer, lines, x, onnx := at("layer.safetensors"), at("lines.safetensors"), at("x.npy"), at("layer.onnx")
	loneLayer(t, layer, "")
	loneLayer(t, lines, "lstm.")
	if err := array.WriteFile(x, checkpoint.Set{checkpoint.Of("input", tensor.New(5, 3))}, array.Options{}); err != nil {
		t.Fatal(err)
	}
	command(t, 0, "convert", layer, onnx)
	names := write("names.csv", "text,label\n"+strings.Repeat("anna,x\nbob,y\n", 10))
	table := write("table.csv", "who,t,a,b,c\nu,1,1,2,3\nu,2,1,2,3\n")
	hours := write("hours.csv", "t,a,b,c\n2024-01-01,1,2,3\n2024-01-02,1,2,3\n2024-01-03,1,2,3\n"+strings.Repeat("2024-01-04,1,2,3\n", 30))
	forecast, _ := filepath.Abs("../../task/testdata/v0/forecast")
	classify, _ := filepath.Abs("../../task/testdata/v0/classify")
	series, _ := filepath.Abs("../../task/testdata/v0/hours.csv")
	in := func(line string) []string {
		return strings.Fields(strings.NewReplacer("LAYER", layer, "LINES", lines, "ONNX", onnx, "XNPY", x, "NAMES", names, "TABLE", table, "HOURS", hours,
			"FORECAST", forecast, "CLASSIFY", classify, "SERIES", series, "OUT", at("out")).Replace(line))
	}
	const (
		whole = "run ONNX XNPY"
		group = "run LAYER TABLE --group-by who --sort-by t"
		learn = "train NAMES -o OUT --task classify"
		ahead = "train HOURS -o OUT --task forecast"
		again = "eval FORECAST SERIES"
		class = "eval CLASSIFY NAMES"
	)
	rows := map[string]struct{ line, have string }{
		"run chain own":    {whole + " --chain", "says itself"},
		"run chain folder": {"run ../../examples/bach ../../examples/bach/chorale.safetensors --chain", "says itself"},
		"run columns st":   {"run ../../examples/bach ../../examples/bach/chorale.safetensors --columns", "CSV and Parquet"},
		"run chain":        {"run LINES XNPY --time-first --chain", "lstm"},
		"run columns":      {"run LAYER TABLE --columns", `"a"`},
		"run columns npy":  {"run LAYER XNPY --columns", "CSV and Parquet"},
		"run convention":   {"run LAYER XNPY --convention", "torch or keras"},
		"run decimal":      {"run LAYER TABLE --columns a,b,c --decimal", ". or ,"},
		"run dtype":        {"run LAYER XNPY --dtype", "float32 or float64"},
		"run group-by":     {"run LAYER TABLE --group-by", `"who"`},
		"run input":        {whole + " --input " + nobody + "=XNPY", "input"},
		"run keep":         {whole + " --precision int8 --keep", "lstm"},
		"run keep layer":   {"run LAYER XNPY --precision int8 --keep", "layers 0 to 0"},
		"run keep stream":  {whole + " --stream --precision int8 --keep", "lstm"},
		"run keep folder":  {"run ../../examples/bach ../../examples/bach/chorale.safetensors --precision int8 --keep", "rnn"},
		"run mode":         {"run LAYER XNPY --mode", "GRU"},
		"run precision":    {"run LAYER XNPY --precision", "bfloat16"},
		"run prefix":       {"run LAYER XNPY --prefix", `""`},
		"run separator":    {"run LAYER TABLE --columns a,b,c --separator", "tab"},
		"run set":          {whole + " --set " + nobody + "=1", "input"},
		"run size":         {whole + " --stream --size " + nobody + "=1", "input"},
		"run sort-by":      {"run LAYER TABLE --group-by who --columns a,b,c --sort-by", `"t"`},
		"run set group":    {"run ONNX TABLE --group-by who --columns a,b,c --set " + nobody + "=1", "input"},
		"run keep group":   {"run ONNX TABLE --group-by who --columns a,b,c --precision int8 --keep", "lstm"},

		"explain as":         {"explain LAYER XNPY --html OUT --as", "series"},
		"explain as, text":   {"explain LAYER XNPY --as", "--html"},
		"explain chain":      {"explain LINES XNPY --time-first --chain", "lstm"},
		"explain columns":    {"explain LAYER TABLE --columns", `"a"`},
		"explain decimal":    {"explain LAYER TABLE --columns a,b,c --decimal", ". or ,"},
		"explain input":      {"explain ONNX XNPY --input " + nobody + "=XNPY", "input"},
		"explain mode":       {"explain LAYER XNPY --mode", "GRU"},
		"explain mode fresh": {"explain --mode", "GRU"},
		"explain prefix":     {"explain LAYER XNPY --prefix", `""`},
		"explain prefix own": {"explain ONNX XNPY --prefix", "layer"},
		"explain separator":  {"explain LAYER TABLE --columns a,b,c --separator", "tab"},
		"explain set":        {"explain ONNX XNPY --set " + nobody + "=1", "input"},

		"serve chain":     {"serve LINES --time-first --chain", "lstm"},
		"serve keep":      {"serve ONNX --listen 127.0.0.1:0 --grpc none --precision int8 --keep", "lstm"},
		"serve log":       {"serve ONNX --log", "text or json"},
		"serve precision": {"serve ONNX --precision", "bfloat16"},
		"serve prefix":    {"serve LAYER --time-first --prefix", `""`},
		"serve set":       {"serve ONNX --listen 127.0.0.1:0 --grpc none --set " + nobody + "=1", "input"},
		"serve size":      {"serve ONNX --listen 127.0.0.1:0 --grpc none --size " + nobody + "=1", "input"},

		"inspect chain":      {"inspect LINES --chain", "lstm"},
		"inspect convention": {"inspect LAYER --convention", "torch or keras"},
		"inspect prefix":     {"inspect LINES --chain lstm --prefix", "lstm"},

		"convert chain own":     {"convert ONNX OUT.npz --chain", "says itself"},
		"convert chain folder":  {"convert ../../examples/bach OUT.onnx --chain", "tells itself"},
		"inspect chain own":     {"inspect ONNX --chain", "says itself"},
		"inspect prefix alone":  {"inspect LINES --prefix", "--chain"},
		"convert chain":         {"convert LINES OUT.onnx --time-first --chain", "lstm"},
		"convert convention":    {"convert LAYER OUT.onnx --convention", "torch or keras"},
		"convert head":          {"convert LAYER OUT.onnx --head", "all or last"},
		"convert keep":          {"convert CLASSIFY OUT --to int8 --keep", "rnn"},
		"convert keep, no int8": {"convert CLASSIFY OUT --to folder --keep", "--to int8"},
		"convert mode":          {"convert LAYER OUT.onnx --mode", "GRU"},
		"convert prefix":        {"convert LAYER OUT.onnx --prefix", `""`},
		"convert to":            {"convert LAYER OUT --to", "onnx"},

		"bench chain":      {"bench LINES --time-first --chain", "lstm"},
		"bench dtype":      {"bench LAYER --time-first --dtype", "float32 or float64"},
		"bench keep":       {"bench ONNX --runs 1 --precision int8 --keep", "lstm"},
		"bench mode alone": {"bench --mode", "--hidden-size"},
		"bench mode":       {"bench --hidden-size 4 --runs 1 --mode", "GRU"},
		"bench precision":  {"bench ONNX --precision", "bfloat16"},
		"bench prefix":     {"bench LAYER --time-first --prefix", `""`},
		"bench set":        {"bench ONNX --runs 1 --set " + nobody + "=1", "input"},
		"bench size":       {"bench ONNX --runs 1 --size " + nobody + "=1", "input"},

		"train base":         {ahead + " --base", "season"},
		"train columns":      {ahead + " --columns", "a,b,c"},
		"train decimal":      {ahead + " --decimal", ". or ,"},
		"train gaps":         {ahead + " --gaps", "fill"},
		"train label-column": {learn + " --label-column", "label"},
		"train level":        {learn + " --level", "word"},
		"train loss":         {ahead + " --loss", "huber"},
		"train mode":         {learn + " --mode", "GRU"},
		"train optimizer":    {learn + " --optimizer", "AdamW"},
		"train schedule":     {learn + " --schedule", "cosine"},
		"train separator":    {ahead + " --separator", "tab"},
		"train target":       {ahead + " --lags 1 --horizon 1 --season 1 --valid 3 --test 3 --target", "a,b,c"},
		"train task":         {"train NAMES -o OUT --task", "classify"},
		"train text-column":  {learn + " --text-column", "text"},
		"train time-column":  {ahead + " --time-column", "t,a,b,c"},
		"train time-format":  {ahead + " --time-format", "day-first"},

		"eval base":         {again + " --base", "season"},
		"eval columns":      {again + " --columns", "trained with"},
		"eval decimal":      {again + " --decimal", ". or ,"},
		"eval gaps":         {again + " --gaps", "fill"},
		"eval label-column": {class + " --label-column", "label"},
		"eval level":        {class + " --level", "trained with"},
		"eval loss":         {again + " --loss", "huber"},
		"eval separator":    {again + " --separator", "tab"},
		"eval target":       {again + " --target", "trained with"},
		"eval text-column":  {class + " --text-column", "text"},
		"eval time-column":  {again + " --time-column", "when,a,b"},
		"eval time-format":  {again + " --time-format", "day-first"},
	}
	tried := map[string]bool{}
	for name, r := range rows {
		line := in(r.line)
		tried[strings.Join(strings.Fields(name)[:2], " ")] = true
		if !strings.Contains(r.line, nobody) {
			line = append(line, nobody)
		}
		var said strings.Builder
		code := execute(t.Context(), line, strings.NewReader(""), &said, &said)
		flag := "--" + strings.TrimSuffix(strings.Fields(name)[1], ",")
		last := said.String()
		if i := strings.LastIndex(strings.TrimSpace(last), "\n"); i >= 0 {
			last = last[i+1:]
		}
		if code == 0 || !strings.Contains(last, nobody) && !strings.Contains(last, flag) || !strings.Contains(last, r.have) {
			t.Errorf("%s: exit code %d, %q; want %s or %s refused, with %s", name, code, last, flag, nobody, r.have)
		}
	}
	every(newRootCmd(), func(cmd *cobra.Command) {
		row := places[cmd.Name()]
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			_, path := row.flags[f.Name]
			if name := cmd.Name() + " " + f.Name; strings.Contains(f.Value.Type(), "string") && !path && !slices.Contains(freeTexts, f.Name) && !tried[name] {
				t.Errorf("%s: is a name that nothing has refused? It belongs into this test", name)
			}
		})
	})
}
