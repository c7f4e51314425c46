package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train/data"
)

// folder saves a model with random parameters.
func folder(t *testing.T, cfg nn.Config) (*nn.Model, string) {
	t.Helper()
	m, err := nn.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.ResetParameters(rng.New(4))
	dir := filepath.Join(t.TempDir(), "model")
	if err := m.Save(dir, "# A model\n"); err != nil {
		t.Fatal(err)
	}
	return m, dir
}

func described(t *testing.T, cfg nn.Config, of task.Task) nn.Config {
	t.Helper()
	cfg, err := task.Describe(cfg, of)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// shownPage is what a page holds.
type shownPage struct {
	Steps   int
	Kind    string
	Labels  []string
	Columns []string
	Record  int
	h       []float32 // hidden states of the last lane at the last step
}

// explained writes a page and takes it apart.
func explained(t *testing.T, hidden int, args ...string) (p shownPage) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.html")
	var out bytes.Buffer
	if code := execute(context.Background(), append(append([]string{"explain"}, args...), "--html", file), strings.NewReader(""), &out, &out); code != codeOK {
		t.Fatalf("exit code %d: %s", code, out.String())
	}
	html, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(between(t, html, `id="data">`), &p); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(string(between(t, html, `id="block">`)))
	if err != nil {
		t.Fatal(err)
	}
	end := 4 * (p.Record + p.Steps*hidden)
	for _, b := range slices.Collect(slices.Chunk(raw[end-4*hidden:end], 4)) {
		p.h = append(p.h, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return p
}

func between(t *testing.T, html []byte, start string) []byte {
	t.Helper()
	_, rest, ok := bytes.Cut(html, []byte(start))
	text, _, closed := bytes.Cut(rest, []byte("</script>"))
	if !ok || !closed {
		t.Fatalf("the page has no %s", start)
	}
	return text
}

// A folder with a vocabulary reads text; the page shows its characters, and its
// states are those of the model on the same tokens.
func TestExplainReadsText(t *testing.T) {
	v := &data.Vocabulary{Level: "char", Tokens: []string{"<unk>", "e", "h", "l", "o"}, Unknown: 0, Pad: -1}
	cfg := described(t, nn.Config{NumEmbeddings: 5, OutFeatures: 5}, &task.Text{Vocabulary: v})
	cfg.RNN = unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4}
	m, dir := folder(t, cfg)
	pass := nn.Pass{Model: m}
	_, sn, err := pass.Forward(nn.Input{Tokens: []int{2, 1, 3, 3, 4, 0}, T: 6, B: 1}, unroll.State{})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "hello.txt")
	if err := os.WriteFile(file, []byte("hello!\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{dir, file}, {dir, "--text", "hello!"}} {
		p := explained(t, 4, args...)
		if p.Kind != "text" || !slices.Equal(p.Labels, []string{"h", "e", "l", "l", "o", "!"}) {
			t.Errorf("%v: %+v", args, p)
		}
		if !slices.Equal(p.h, sn.H.Data) {
			t.Errorf("%v: the page has %v, the model %v", args, p.h, sn.H.Data)
		}
	}
	if p := explained(t, 4, dir, file, "--limit", "2"); p.Steps != 2 || len(p.Labels) != 2 {
		t.Errorf("--limit 2: %+v", p)
	}
	var out bytes.Buffer
	if code := execute(context.Background(), []string{"explain", dir, "--text", "hello", "--step", "4"}, strings.NewReader(""), &out, &out); code != codeOK || !strings.Contains(out.String(), `Processing x_4 "o"`) {
		t.Errorf("exit code %d:\n%s", code, out.String())
	}
}

// A forecaster reads a table through its scaling, and the page names columns.
func TestExplainReadsASeries(t *testing.T) {
	cfg := described(t, nn.Config{OutFeatures: 2, Output: "last"}, &task.Forecast{
		Scaling:    &data.Scaling{Columns: []string{"load", "oil"}, Mean: []float64{2, 10}, Std: []float64{0.5, 4}},
		TimeColumn: "date", Targets: []string{"oil"}, Lags: 3, Horizon: 2, Season: 2, Base: "none", NoCalendar: true,
	})
	cfg.RNN = unroll.Config{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 4}
	m, dir := folder(t, cfg)
	file := filepath.Join(t.TempDir(), "table.csv")
	if err := os.WriteFile(file, []byte("date,oil,load\n2020-01-01 00:00:00,0,0\n2020-01-01 01:00:00,10,2\n2020-01-01 02:00:00,14,3\n2020-01-01 03:00:00,6,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := explained(t, 4, dir, file)
	if p.Kind != "series" || p.Steps != 3 || !slices.Equal(p.Columns, []string{"load", "oil"}) {
		t.Errorf("%+v", p)
	}
	// The last three rows, standardised by hand.
	x := tensor.Dense{Shape: []int{3, 2}, Data: []float32{0, 0, 2, 1, -2, -1}}
	y, _, err := m.RNN().Forward(x, unroll.State{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.h, y.Data[8:]) {
		t.Errorf("the page has %v, the layer %v", p.h, y.Data[8:])
	}
}

// A music model reads piano rolls.
func TestExplainReadsNotes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rolls.json")
	if err := os.WriteFile(file, []byte(`{"dim":88,"train":[[[60],[61]]],"valid":[[[60],[61]]],"test":[[[1],[2]],[[39,43,46],[39],[]]]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := explained(t, 128, "../../examples/bach", file, "--sequence", "1")
	if p.Kind != "notes" || p.Steps != 3 {
		t.Errorf("%+v", p)
	}
}

func TestExplainRefusesInWords(t *testing.T) {
	const bach, chorale = "../../examples/bach", "../../examples/bach/chorale.safetensors"
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{bach}, codeUsage, "MODEL and INPUT"},
		{[]string{"--text", "a"}, codeUsage, "--text stands for INPUT"},
		{[]string{bach, chorale, "--text", "a"}, codeUsage, "--text stands for INPUT"},
		{[]string{bach, "--text", "a"}, codeUsage, "vocabulary"},
		{[]string{bach, chorale, "--as", "smoke", "--html", filepath.Join(t.TempDir(), "p.html")}, codeUsage, "text, series, notes or vectors"},
		{[]string{"--as", "notes", "--html", filepath.Join(t.TempDir(), "p.html")}, codeUsage, "keys of a piano"},
		{[]string{bach, "none.safetensors"}, codeFailure, "none.safetensors"},
		{[]string{"none.pt", chorale}, codeFailure, "none.pt"},
		{[]string{bach, chorale, "--mode", "RELU"}, codeUsage, "RNN_RELU"},
	} {
		var out bytes.Buffer
		if code := execute(context.Background(), append([]string{"explain"}, c.args...), strings.NewReader(""), io.Discard, &out); code != c.code || !strings.Contains(out.String(), c.want) {
			t.Errorf("%v: exit code %d, %q; expected %d and words with %q", c.args, code, out.String(), c.code, c.want)
		}
	}
}

// The size of a page is told before it is written, and a page that is too large is
// refused with what helps. A long run is not stored whole.
func TestExplainTellsThePagesSize(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.html")
	run := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := execute(context.Background(), append([]string{"explain", "--html", file}, args...), strings.NewReader(""), &out, &out)
		return code, out.String()
	}
	size := func() int64 {
		st, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		return st.Size()
	}
	code, said := run()
	if code != codeOK || !strings.HasPrefix(said, fmt.Sprintf("the page has %.1f MB: ", float64(size())/1e6)) {
		t.Errorf("exit code %d: %s, of %d bytes", code, said, size())
	}
	small := size()
	input := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(input, []byte("x\n"+strings.Repeat("0.5\n", 20000)), 0o600); err != nil {
		t.Fatal(err)
	}
	sizes := []string{input, "--mode", "LSTM", "--input-size", "1", "--hidden-size", "64", "--num-layers", "2"}
	if code, said = run(sizes...); code != codeOK {
		t.Fatalf("exit code %d: %s", code, said)
	}
	// h and c of 2 layers of 64 units over 20,000 steps are 20 MB, in base64 27.
	if grown := size() - small; grown > 2<<20 {
		t.Errorf("20,000 steps take %d bytes", grown)
	}
	// One number, and of each step that it is this one.
	if grown := size() - small; grown > 2<<20 {
		t.Errorf("20,000 equal rows of x take %d bytes", grown)
	}
	if err := os.WriteFile(input, []byte(strings.Repeat("0.5\n", 1100000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said = run(sizes...); code != codeUsage || !strings.Contains(said, "the states of 1100000 steps would take 1.1 GB of the browser's memory") {
		t.Errorf("a long run: exit code %d: %s", code, said)
	}
	if code, said = run(append(sizes[1:], "--hidden-size", "2000", "--input-size", "100")...); code != codeUsage || !strings.Contains(said, "--large") || !strings.Contains(said, "--limit") {
		t.Errorf("a large page: exit code %d: %s", code, said)
	}
}

// lockedBuffer is read while a command writes to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// --open serves the page on loopback, to nobody who calls it by another name,
// and ends when it is interrupted.
func TestExplainOpenServesOnLoopback(t *testing.T) {
	t.Setenv("PATH", "") // no browser to open
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var stderr lockedBuffer
	done := make(chan int)
	go func() {
		done <- execute(ctx, []string{"explain", "--open"}, strings.NewReader(""), io.Discard, &stderr)
	}()
	var url string
	for end := time.Now().Add(20 * time.Second); url == "" && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		url = regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+/`).FindString(stderr.String())
	}
	if url == "" {
		t.Fatalf("no address: %q", stderr.String())
	}
	get := func(url, host string) (int, string) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	if code, body := get(url, ""); code != http.StatusOK || !strings.Contains(body, "Content-Security-Policy") {
		t.Errorf("%d, %d bytes", code, len(body))
	}
	if code, _ := get(url+"etc", ""); code != http.StatusNotFound {
		t.Errorf("another path: %d", code)
	}
	if code, _ := get(url, "example.com"); code != http.StatusNotFound {
		t.Errorf("another name: %d", code)
	}
	cancel()
	select {
	case code := <-done:
		if code != codeOK {
			t.Errorf("exit code %d: %s", code, stderr.String())
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on after an interrupt")
	}
}
