package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/tensor"
)

// every calls f with each command of the tree but the root.
func every(cmd *cobra.Command, f func(*cobra.Command)) {
	for _, sub := range cmd.Commands() {
		f(sub)
		every(sub, f)
	}
}

// TestEveryPathHasItsUse: a command, an argument or a flag that takes text and has
// no place in the table is one whose files nobody guards.
func TestEveryPathHasItsUse(t *testing.T) {
	seen := map[string]bool{}
	every(newRootCmd(), func(cmd *cobra.Command) {
		row, ok := places[cmd.Name()]
		if !ok {
			t.Errorf("%s has no row in places", cmd.Name())
			return
		}
		seen[cmd.Name()] = true
		texts := strings.Fields(row.texts)
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(f.Value.Type(), "string") {
				return
			}
			if _, path := row.flags[f.Name]; path == slices.Contains(texts, f.Name) {
				t.Errorf("%s --%s: a path or a text? It belongs into places once", cmd.Name(), f.Name)
			}
		})
		for _, name := range slices.Concat(texts, slices.Collect(maps.Keys(row.flags))) {
			if cmd.Flags().Lookup(name) == nil {
				t.Errorf("%s: places names --%s, which there is not", cmd.Name(), name)
			}
		}
		if most := len(strings.Fields(cmd.Use)) - 1; len(row.args) > most {
			t.Errorf("%s: places has %d arguments, %q has %d", cmd.Name(), len(row.args), cmd.Use, most)
		}
	})
	for name := range places {
		if !seen[name] {
			t.Errorf("places has a row for %s, which there is not", name)
		}
	}
}

// held is a tree's files and what is in them.
func held(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// refusedWithoutALoss runs a command that is to refuse what it was told, with exit
// code 2 and those words, and no file of dir may have changed.
func refusedWithoutALoss(t *testing.T, dir, words string, stdin io.Reader, stdout io.Writer, args ...string) {
	t.Helper()
	before := held(t, dir)
	var said bytes.Buffer
	code := execute(context.Background(), args, stdin, stdout, &said)
	if code != codeUsage || !strings.Contains(said.String(), words) {
		t.Errorf("%q: exit code %d, %q; want 2 and %q", args, code, said.String(), words)
	}
	for path, was := range before {
		if now, err := os.ReadFile(path); err != nil || string(now) != was {
			t.Errorf("%q: %s lost its bytes (%v)", args, path, err)
		}
	}
	if after := held(t, dir); len(after) != len(before) {
		t.Errorf("%q: %d files, %d before", args, len(after), len(before))
	}
}

// aliases are other paths of a file: the same, a detour, a link, a hard link, and
// through a linked folder.
func aliases(t *testing.T, file string) []string {
	t.Helper()
	dir, ext := t.TempDir(), filepath.Ext(file)
	all := []string{file, filepath.Dir(file) + "/../" + filepath.Base(filepath.Dir(file)) + "/" + filepath.Base(file)}
	link, hard, through := filepath.Join(dir, "link"+ext), filepath.Join(dir, "hard"+ext), filepath.Join(dir, "through")
	if err := os.Symlink(file, link); err != nil {
		t.Skip("no links here:", err)
	}
	if err := os.Symlink(filepath.Dir(file), through); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(file, hard); err == nil { // where the file system has them
		all = append(all, hard)
	}
	return append(all, link, filepath.Join(through, filepath.Base(file)))
}

// used are a command's arguments, the files of those that it reads, in a folder of
// their own, and the flags that it needs besides.
func used(t *testing.T, name string) (args []string, reads map[string]string, more []string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	layer, x := filepath.Join(dir, "layer.safetensors"), filepath.Join(dir, "x.npy")
	loneLayer(t, layer, "")
	if err := array.WriteFile(x, checkpoint.Set{checkpoint.Of("input", tensor.New(5, 3))}, array.Options{}); err != nil {
		t.Fatal(err)
	}
	text := write("poem.txt", strings.Repeat("the quick brown fox jumps over the lazy dog\n", 20))
	fox := filepath.Join(dir, "fox")
	switch name {
	case "run", "explain":
		args, reads = []string{layer, x}, map[string]string{"MODEL": layer, "INPUT": x}
	case "serve": // its snapshots stand under names of their own, which no other file has
		args, reads = []string{layer}, map[string]string{"MODEL": layer}
	case "convert":
		args, reads = []string{layer}, map[string]string{"IN": layer}
	case "train":
		args, reads, more = []string{text}, map[string]string{"DATA": text}, []string{"--task", "text", "--epochs", "1", "--hidden", "4"}
	case "eval", "predict":
		command(t, 0, "train", text, "--task", "text", "--epochs", "1", "--hidden", "4", "-o", fox)
		args, reads = []string{fox, text}, map[string]string{"MODEL": fox + "/config.json", "MODEL ": fox + "/model.safetensors", "MODEL  ": fox + "/README.md", "INPUT": text}
	}
	return args, reads, more
}

func loneLayer(t *testing.T, path, prefix string) {
	t.Helper()
	w := func(name string, rows, columns int) checkpoint.Tensor {
		return checkpoint.Of(prefix+name, tensor.New(rows, columns))
	}
	b := func(name string, n int) checkpoint.Tensor { return checkpoint.Of(prefix+name, tensor.New(n)) }
	set := checkpoint.Set{w("weight_ih_l0", 16, 3), w("weight_hh_l0", 16, 4), b("bias_ih_l0", 16), b("bias_hh_l0", 16)}
	if err := safetensors.WriteFile(path, set, nil); err != nil {
		t.Fatal(err)
	}
}

// TestNoCommandWritesOverWhatItReads: all commands, every path they write over
// every file they read, by every name it has.
func TestNoCommandWritesOverWhatItReads(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(places)) {
		row := places[name]
		writers := map[string]use{}
		for flag, u := range row.flags {
			if u >= useOutput {
				writers["--"+flag] = u
			}
		}
		if name == "convert" {
			writers["OUT"] = useConvert
		}
		if len(writers) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			args, reads, more := used(t, name)
			if len(reads) == 0 {
				t.Fatalf("%s writes files, and this test has nothing for it to read: add it to used", name)
			}
			for who, u := range writers {
				for _, file := range reads {
					for _, alias := range aliases(t, file) {
						line := append(slices.Concat([]string{name}, args), more...)
						switch u {
						case useFolder, useTrain: // a folder is no file; what is written in it is below
							continue
						case useConvert:
							line = append(line, alias, "--to", "npz")
						default:
							line = append(line, who, alias)
							if name == "train" {
								line = append(line, "-o", filepath.Join(t.TempDir(), "m"))
							}
						}
						refusedWithoutALoss(t, filepath.Dir(file), "is the same file as", strings.NewReader(""), io.Discard, line...)
					}
				}
			}
		})
	}
}

// TestNoFileOfAModelIsWrittenOver: a model of several files is all of them.
func TestNoFileOfAModelIsWrittenOver(t *testing.T) {
	dir := t.TempDir()
	x := filepath.Join(dir, "x.npy")
	if err := array.WriteFile(x, checkpoint.Set{checkpoint.Of("input", tensor.New(5, 3))}, array.Options{}); err != nil {
		t.Fatal(err)
	}
	shard := filepath.Join(dir, "model-00001-of-00001.safetensors")
	loneLayer(t, shard, "")
	index := fmt.Sprintf(`{"weight_map":{"weight_ih_l0":%[1]q,"weight_hh_l0":%[1]q,"bias_ih_l0":%[1]q,"bias_hh_l0":%[1]q}}`, filepath.Base(shard))
	where := filepath.Join(dir, "model.safetensors.index.json")
	if err := os.WriteFile(where, []byte(index), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{dir, where} {
		refusedWithoutALoss(t, dir, "a part of it", nil, io.Discard, "run", m, x, "--output", shard)
		refusedWithoutALoss(t, dir, "a part of it", nil, io.Discard, "convert", m, where, "--to", "npz")
	}
	// A folder around a program.
	program := filepath.Join(dir, "program")
	lines := filepath.Join(dir, "lines.safetensors")
	loneLayer(t, lines, "lstm.")
	command(t, 0, "convert", lines, program, "--chain", "lstm", "--time-first", "--to", "folder")
	for _, name := range []string{"config.json", "model.safetensors"} {
		for _, alias := range aliases(t, filepath.Join(program, name)) {
			refusedWithoutALoss(t, program, "a part of it", nil, io.Discard, "run", program, x, "--states-out", alias)
			refusedWithoutALoss(t, program, "a part of it", nil, io.Discard, "convert", program, alias, "--to", "npz")
		}
	}
	// What is made of an output's name beside it.
	second := filepath.Join(dir, "y.h_n.npy")
	if err := os.Rename(x, second); err != nil {
		t.Fatal(err)
	}
	refusedWithoutALoss(t, dir, "y.h_n.npy is the same file as INPUT", nil, io.Discard, "run", where, second, "--output", filepath.Join(dir, "y.npy"))
}

// TestFoldersOfDataGetNothing: what stands in one is data the next time.
func TestFoldersOfDataGetNothing(t *testing.T) {
	dir := t.TempDir()
	texts, out := filepath.Join(dir, "texts"), filepath.Join(dir, "m")
	if err := os.Mkdir(texts, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, class := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(texts, class+".txt"), []byte(strings.Repeat(class+"x\n", 20)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	train := []string{"train", texts, "--task", "classify", "--epochs", "1", "--hidden", "4"}
	for _, more := range [][]string{
		{"-o", texts},
		{"-o", filepath.Join(texts, "m")},
		{"-o", out, "--log", filepath.Join(texts, "log.jsonl")},
		{"-o", out, "--tensorboard", filepath.Join(texts, "events")},
		{"-o", out, "--tensorboard", texts},
	} {
		refusedWithoutALoss(t, dir, "a folder that is read", nil, io.Discard, append(slices.Clone(train), more...)...)
	}
	refusedWithoutALoss(t, dir, "is the same file as DATA", nil, io.Discard, append(slices.Clone(train), "-o", out, "--log", filepath.Join(texts, "a.txt"))...)
}

// TestTrainingKeepsItsFilesApart: its log is none of the model's files, nor anybody's
// that is no log; the files of a model that trains anew are no data.
func TestTrainingKeepsItsFilesApart(t *testing.T) {
	args, _, more := used(t, "train")
	dir := filepath.Dir(args[0])
	out := filepath.Join(dir, "m")
	train := func(more ...string) []string { return slices.Concat([]string{"train"}, args, more) }
	for _, name := range written {
		refusedWithoutALoss(t, dir, "are the same file", nil, io.Discard, train(append(more, "-o", out, "--log", filepath.Join(out, name))...)...)
	}
	notes := filepath.Join(dir, "notes.md")
	if err := os.WriteFile(notes, []byte("# notes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refusedWithoutALoss(t, dir, "is no log of a training", nil, io.Discard, train(append(more, "-o", out, "--log", notes)...)...)
	log := filepath.Join(dir, "log.jsonl")
	command(t, 0, train(append(more, "-o", out, "--log", log)...)...)
	command(t, 0, train(append(more, "-o", out, "--log", log, "--overwrite")...)...)
	if b, err := os.ReadFile(log); err != nil || strings.Count(string(b), "\n") != 2 {
		t.Errorf("%s: %q, %v; want a line of each training", log, b, err)
	}
	refusedWithoutALoss(t, dir, "is the same file as DATA", nil, io.Discard, append([]string{"train", filepath.Join(out, "README.md"), "-o", out, "--overwrite"}, more...)...)
}

// TestStandardStreamsAreFilesToo: a redirected stream is the file it comes from or
// goes to.
func TestStandardStreamsAreFilesToo(t *testing.T) {
	args, _, _ := used(t, "run")
	model, x := args[0], args[1]
	in, err := os.Open(x)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	refusedWithoutALoss(t, filepath.Dir(x), "is the same file as standard input", in, io.Discard, "run", model, "-", "--output", x)
	out, err := os.OpenFile(model, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	refusedWithoutALoss(t, filepath.Dir(x), "standard output is the same file as FILE", strings.NewReader(""), out, "inspect", model)
}

// TestAConvertedFolderIsNobodyElses: a folder with other files is not written into.
func TestAConvertedFolderIsNobodyElses(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"model_type":"bert"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	refusedWithoutALoss(t, dir, "unroll did not make", nil, io.Discard, "convert", "../../examples/bach", dir)
	out := filepath.Join(t.TempDir(), "m")
	for range 2 {
		command(t, 0, "convert", "../../examples/bach", out)
	}
	if got := modelfile.Files(out); len(got) != 4 {
		t.Errorf("the parts of a model folder: %q", got)
	}
	// A training's folder has more than a conversion writes.
	for _, name := range []string{"README.md", checkpointFile} {
		if err := os.WriteFile(filepath.Join(out, name), []byte("words"), 0o600); err != nil {
			t.Fatal(err)
		}
		refusedWithoutALoss(t, out, "was trained there ("+name+")", nil, io.Discard, "convert", "../../examples/bach", out)
		refusedWithoutALoss(t, out, "was trained there ("+name+")", nil, io.Discard, "convert", "../../examples/bach", out, "--to", "int8")
		if err := os.Remove(filepath.Join(out, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStatesGoOnInTheirFile: what a run begins from may be replaced by what it ends
// with, but nothing else of what it reads.
func TestStatesGoOnInTheirFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "states.npz")
	if err := os.WriteFile(file, []byte("states"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := new(paths)
	p.add(place{"--states-in", file, useStateIn})
	p.add(place{"--states-out", file, useStateOut})
	if err := p.check(); err != nil {
		t.Error(err)
	}
	p.add(place{"INPUT", file, useInput})
	if err := p.check(); err == nil {
		t.Error("an input was written over by states")
	}
}

// TestStandardOutputIsNoOutputsFile: what is written twice is there once.
func TestStandardOutputIsNoOutputsFile(t *testing.T) {
	args, _, _ := used(t, "run")
	path := filepath.Join(filepath.Dir(args[0]), "y.npz")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	for _, flag := range []string{"--output", "--states-out"} {
		for _, alias := range aliases(t, path) {
			refusedWithoutALoss(t, filepath.Dir(path), "standard output is the same file as "+flag, nil, out, "run", args[0], args[1], "--json", flag, alias)
		}
	}
}

// broken is a standard output that takes nothing.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestStatesComeAfterTheOutput: a run that cannot give all of its output leaves the
// states that it began from, and is run again from them.
func TestStatesComeAfterTheOutput(t *testing.T) {
	args, _, _ := used(t, "run")
	layer, x, dir := args[0], args[1], filepath.Dir(args[0])
	onnx, states := filepath.Join(dir, "m.onnx"), filepath.Join(dir, "states.safetensors")
	table := filepath.Join(dir, "t.csv")
	if err := os.WriteFile(table, []byte("who,a,b,c\nu,1,2,3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, 0, "convert", layer, onnx)
	for _, line := range [][]string{
		{"run", layer, x},
		{"run", layer, x, "--stream"},
		{"run", layer, "-", "--stream"},
		{"run", onnx, x, "--states"},
		{"run", onnx, x, "--stream"},
		{"run", onnx, "-", "--stream"},
		{"run", layer, table, "--group-by", "who"},
	} {
		line = append(line, "--states-out", states)
		var said bytes.Buffer
		if code := execute(t.Context(), line, strings.NewReader("1,2,3\n"), broken{}, &said); code == 0 {
			t.Errorf("%q: no error", line)
		}
		if _, err := os.Stat(states); err == nil {
			t.Fatalf("%q: the states are there and the output is not: %s", line, &said)
		}
		if code := execute(t.Context(), line, strings.NewReader("1,2,3\n"), io.Discard, &said); code != 0 {
			t.Errorf("%q: %d, %s", line, code, &said)
		}
		if err := os.Remove(states); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}
