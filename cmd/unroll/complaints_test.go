package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestComplaintsSayWhatCame: a newcomer's mistakes, and what has to be said of each: what
// came, what was expected, what to do.
func TestComplaintsSayWhatCame(t *testing.T) {
	picture, err := os.ReadFile("../../docs/images/explain-grid.png")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile("../../examples/names/model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	bach, err := filepath.Abs("../../examples/bach")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for name, b := range map[string][]byte{
		"picture.png": picture, "picture.onnx": picture, "picture.npy": picture, "empty.onnx": nil, "empty.csv": nil,
		"text.onnx": []byte("hello\n"), "cut.onnx": whole[:5000], "empty.pt": nil, "folder/words": []byte("x"),
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const gone = "it cannot be opened: "
	for _, c := range []struct {
		code int
		args string
		want []string
	}{
		{1, "inspect no.pt", []string{"no.pt: " + gone}},
		{1, "eval no words", []string{"no: " + gone}},
		{1, "predict no words", []string{"no: " + gone}},
		{1, "explain no --text words", []string{"no: " + gone}},
		{1, "train no --task text -o m", []string{"no: " + gone}},
		{1, "run no.pt", []string{"no.pt: " + gone}},
		{1, "run no.pt BACH/chorale.safetensors", []string{"no.pt: " + gone}},
		{1, "run BACH no.npy", []string{"no.npy: " + gone}},
		{1, "run BACH --input input=no.npy", []string{"no.npy: " + gone}},
		{1, "run BACH BACH/chorale.safetensors --states-in no.npz", []string{"no.npz: " + gone}},
		{1, "run --output no/y.npy", []string{"saving no/y.npy: there is no folder no"}},
		{1, "explain no.pt", []string{"no.pt: " + gone}},
		{1, "explain BACH no.npy --step 0", []string{"no.npy: " + gone}},
		{1, "explain --html no/x.html", []string{"saving no/x.html: there is no folder no"}},
		{1, "convert no.pt m.onnx", []string{"no.pt: " + gone}},
		{1, "convert BACH m --to int8 --calibrate no.csv", []string{"no.csv: " + gone}},
		{1, "eval BACH no.csv", []string{"no.csv: " + gone}},
		{1, "eval BACH folder --case no/x.safetensors", []string{"saving no/x.safetensors: there is no folder no"}},
		{2, "eval no", []string{`got the argument "no"`, "; and there is no no"}},
		{2, "convert no.pt", []string{`got the argument "no.pt"`, "; and there is no no.pt"}},
		{1, "serve name=no.onnx --listen 127.0.0.1:0", []string{"no.onnx: " + gone}},
		{1, "serve BACH --listen 127.0.0.1:0 --token-file no", []string{"no: " + gone}},
		{2, "serve BACH --listen x", []string{`--listen: got "x", expected HOST:PORT`}},
		{2, "serve BACH --listen 127.0.0.1:99999", []string{"--listen: got"}},
		{2, "serve BACH --listen 127.0.0.1:0 --tls-cert BACH", []string{"--tls-cert and --tls-key belong together"}},
		{2, "explain --mode nope", []string{`--mode: got "nope"`}},
		{1, "serve no.onnx --listen 127.0.0.1:0", []string{"no.onnx: " + gone}},
		{2, "serve vad=", []string{`MODEL is "vad="`, "NAME=MODEL"}},
		{1, "inspect empty.onnx", []string{"empty.onnx", "0 bytes", "is this an ONNX file?"}},
		{1, "inspect text.onnx", []string{"text.onnx", "no ONNX file"}},
		{1, "inspect cut.onnx", []string{"cut.onnx", "cut off"}},
		{1, "inspect picture.onnx", []string{"picture.onnx", "no ONNX file"}},
		{1, "inspect picture.png", []string{"89 50 4e 47", ".onnx"}},
		{1, "inspect empty.pt", []string{"empty.pt: the file is empty"}},
		{1, "run BACH folder", []string{"folder: it is a folder", ".npy, .npz, .csv, .tsv, .jsonl, .parquet"}},
		{1, "run BACH picture.png", []string{`the ending ".png"`, ".parquet"}},
		{1, "run BACH picture.npy", []string{"this is no .npy file", "[89 50 4e 47 0d 0a]", "[93 4e 55 4d 50 59]"}},
		{1, "run BACH empty.csv", []string{"empty.csv: there are no rows of numbers"}},
		{2, "run --precision int9", []string{`: --precision: got "int9", expected float32, int8, bfloat16`}},
		{2, "convert BACH m --mode LSTMM", []string{`: --mode: got "LSTMM", expected RNN_TANH`, "did you mean LSTM?"}},
		{2, "convert BACH m.onnx --to int9", []string{`--to: unknown format: "int9"; safetensors`, "bfloat16", "did you mean int8?"}},
		{1, "convert BACH no/m.onnx", []string{"saving no/m.onnx: there is no folder no"}},
		{2, "run BACH BACH/chorale.safetensors --chain rnn", []string{"(folder) says itself"}},
		{1, "run BACH/model.pt BACH/chorale.safetensors --time-first --chain rnn|lst", []string{`"lst" is neither`, `, at "lst"`}},
	} {
		args := strings.Fields(strings.ReplaceAll(c.args, "BACH", bach))
		_, said := command(t, c.code, args...)
		for _, w := range c.want {
			if !strings.Contains(said, w) {
				t.Errorf("unroll %s says %q, not %q", c.args, said, w)
			}
		}
		if strings.Contains(said, "stat ") || strings.Contains(said, "separated by") {
			t.Errorf("unroll %s says %q, which nobody asked for", c.args, said)
		}
	}
}
