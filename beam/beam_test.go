package unrollbeam

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/local"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/passert"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/ptest"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/parquet"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
)

func TestMain(m *testing.M) { ptest.Main(m) }

// folder is a model of two inputs and one output a step.
func folder(t *testing.T) string {
	t.Helper()
	m, err := nn.New(nn.Config{RNN: unroll.Config{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 8, NumLayers: 2}, OutFeatures: 1})
	if err != nil {
		t.Fatal(err)
	}
	m.ResetParameters(rng.New(1))
	dir := filepath.Join(t.TempDir(), "m")
	if err := m.Save(dir, ""); err != nil {
		t.Fatal(err)
	}
	return dir
}

// command is unroll, built once.
var command = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "unroll-beam-test-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "unroll.exe")
	out, err := exec.Command("go", "build", "-C", "..", "-o", file, "./cmd/unroll").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return file, nil
})

// unrolled runs the command.
func unrolled(t *testing.T, args ...string) {
	t.Helper()
	file, err := command()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(file, args...).CombinedOutput(); err != nil {
		t.Fatalf("unroll %v: %v\n%s", args, err, out)
	}
}

// lines are n records of k series, in no order; of each time there are two.
func lines(n, k int) []string {
	g := rng.New(7)
	x := make([]float32, 2*n)
	rng.Randn(g, x)
	list := make([]string, n)
	for i := range list {
		list[(i*7919)%n] = fmt.Sprintf("%v,s%d,%d,%v", x[2*i], i%k, i/k/2, x[2*i+1])
	}
	return list
}

func writeCSV(t *testing.T, file string, lines []string) string {
	t.Helper()
	text := "z,who,t,x\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

var columns = Columns{Key: "who", Time: "t", X: []string{"x", "z"}}

// pipeline is the one of cmd/score.
func pipeline(o Options, begin, files []string, scores, states File, bad string) *beam.Pipeline {
	p, s := beam.NewPipelineWithRoot()
	records, unread := ReadTables(s, columns, beam.CreateList(s, files))
	var from beam.PCollection
	if begin != nil {
		from = ReadStates(s, o, beam.CreateList(s, begin))
	}
	got := Score(s, o, records, from)
	WriteTable(s, o, got.Series, scores, "who", "t")
	WriteStates(s, o, got.States, states)
	WriteBad(s, beam.Flatten(s, unread, got.Bad), File{Name: bad})
	return p
}

func same(t *testing.T, got, want string) {
	t.Helper()
	a, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) == 0 || !bytes.Equal(a, b) {
		t.Errorf("%s: %d bytes are not the %d of %s", filepath.Base(got), len(a), len(b), filepath.Base(want))
	}
}

// sameParquet compares the values: the end of a file names the program's build.
func sameParquet(t *testing.T, got, want string) {
	t.Helper()
	read := func(file string) (all []parquet.Values) {
		f, err := checkpoint.OpenInput(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		g, err := parquet.NewGroups(f, f.Size, file)
		if err != nil {
			t.Fatal(err)
		}
		for {
			list, _, err := g.Next(g.Columns())
			if err == io.EOF {
				return all
			}
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, list...)
		}
	}
	if a, b := read(got), read(want); len(b) == 0 || !reflect.DeepEqual(a, b) {
		t.Errorf("%s does not hold what %s does", filepath.Base(got), filepath.Base(want))
	}
}

// Two days of 5,000 records of 100 series each, the second written as Parquet: scores
// and states are those of unroll run --group-by, byte for byte, and a stage opens no
// model twice.
func TestBytesAreThoseOfTheCommand(t *testing.T) {
	dir, m := t.TempDir(), folder(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	all := lines(10_000, 100)
	one, two := writeCSV(t, in("1.csv"), all[:5000]), writeCSV(t, in("2.csv"), all[5000:])
	run := func(input, out string, more ...string) {
		unrolled(t, slices.Concat([]string{"run", m, input, "--group-by", "who", "--sort-by", "t", "--sort", "--columns", "x,z", "--output", in(out)}, more)...)
	}
	run(one, "want1.csv", "--states-out", in("want1.safetensors"))
	run(two, "want2.parquet", "--states-in", in("want1.safetensors"), "--states-out", in("want2.safetensors"))

	before := opened.Load()
	ptest.RunAndValidate(t, pipeline(Options{Model: m}, nil, []string{one}, File{Name: in("1.out.csv")}, File{Name: in("1.safetensors")}, in("bad1")))
	if n := opened.Load() - before; n < 1 || n > 3 {
		t.Errorf("the model was opened %d times, by three stages of one worker", n)
	}
	same(t, in("1.out.csv"), in("want1.csv"))
	same(t, in("1.safetensors"), in("want1.safetensors"))
	o := Options{Model: m, Together: 1} // each series alone
	ptest.RunAndValidate(t, pipeline(o, []string{in("1.safetensors")}, []string{two}, File{Name: in("2.parquet")}, File{Name: in("2.safetensors")}, in("bad2")))
	sameParquet(t, in("2.parquet"), in("want2.parquet"))
	same(t, in("2.safetensors"), in("want2.safetensors"))
	if b, err := os.ReadFile(in("bad1")); err != nil || len(b) > 0 {
		t.Errorf("bad records: %q, %v", b, err)
	}
}

// In shards every series is in one, and the lines are those of one file.
func TestShardsHoldTheSameLines(t *testing.T) {
	dir, m := t.TempDir(), folder(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	file := writeCSV(t, in("1.csv"), lines(600, 7))
	unrolled(t, "run", m, file, "--group-by", "who", "--sort-by", "t", "--sort", "--columns", "x,z", "--output", in("want.csv"))
	ptest.RunAndValidate(t, pipeline(Options{Model: m}, nil, []string{file}, File{Name: in("s.csv"), Shards: 3}, File{Name: in("s.safetensors"), Shards: 3}, in("bad")))
	var got []string
	for i := range 3 {
		b, err := os.ReadFile(in(fmt.Sprintf("s-%05d-of-00003.csv", i)))
		if err != nil {
			t.Fatal(err)
		}
		part := strings.Split(strings.TrimSpace(string(b)), "\n")
		got = append(got, part[1:]...)
	}
	want, err := os.ReadFile(in("want.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(want)), "\n")[1:]
	slices.Sort(lines)
	slices.Sort(got)
	if len(lines) != 600 || !slices.Equal(got, lines) {
		t.Errorf("%d lines in shards are not the %d of one file", len(got), len(lines))
	}
}

// A bad record comes out with its reason, and its company as if it were not there.
func TestBadRecordsAreSaidAndLeftOut(t *testing.T) {
	dir, m := t.TempDir(), folder(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	good := lines(60, 3)
	file := writeCSV(t, in("good.csv"), good)
	mixed := slices.Concat(good[:10], []string{"1,s0,3,one", "1,s1,2024-01-02,2", "1,s1", "1,s2,later,0", "1,s2,4,Inf"}, good[10:])
	bad := writeCSV(t, in("mixed.csv"), mixed)
	run := func(input, name string) {
		o := Options{Model: m, RefuseNonFinite: true}
		ptest.RunAndValidate(t, pipeline(o, nil, []string{input}, File{Name: in(name + ".out.csv")}, File{Name: in(name + ".safetensors")}, in(name+".bad")))
	}
	run(file, "good")
	run(bad, "mixed")
	same(t, in("mixed.out.csv"), in("good.out.csv"))
	same(t, in("mixed.safetensors"), in("good.safetensors"))
	b, err := os.ReadFile(in("mixed.bad"))
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(said) != 5 {
		t.Fatalf("%d bad records, want 5:\n%s", len(said), b)
	}
	for i, want := range []string{`"one\" is not a number`, "some times of its series are numbers and some are dates", "wrong number of fields", "is no number and no time", "x is not finite"} {
		if !strings.Contains(said[i], want) || !strings.Contains(said[i], fmt.Sprintf(`"place":%d,`, 12+i)) {
			t.Errorf("bad record %d is %s, want line %d and %s", i, said[i], 12+i, want)
		}
	}
}

// Records and states without files, from the model's bytes: a state of another model
// ends the pipeline.
func TestStatesOfAnotherModelEndThePipeline(t *testing.T) {
	m := folder(t)
	p, s := beam.NewPipelineWithRoot()
	got := Score(s, Options{Model: m}, beam.Create(s, Record{Key: "a", At: "1", X: []float32{1, 2}}), beam.PCollection{})
	passert.Count(s, got.Series, "series", 1)
	passert.Count(s, got.States, "states", 1)
	passert.Empty(s, got.Bad)
	ptest.RunAndValidate(t, p)

	p, s = beam.NewPipelineWithRoot()
	Score(s, Options{Model: m}, beam.Create(s, Record{Key: "a", At: "1", X: []float32{1, 2}}), beam.Create(s, State{Key: "a", Digest: "another"}))
	if err := ptest.Run(p); err == nil || !strings.Contains(err.Error(), "is of another model") {
		t.Errorf("got %v, want an error that names the model", err)
	}
}
