package floors

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/unroll-ml/unroll"

var update = flag.Bool("update", false, "write the table into docs/architecture.md")

func TestTheProjectKeepsItsFloors(t *testing.T) {
	pkgs, err := Read("../..")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, p := range pkgs {
		read += len(p.Imports)
	}
	if len(pkgs) < 4 || read < 20 {
		t.Fatalf("read %d packages with %d imports: the reader misses the tree", len(pkgs), read)
	}
	for _, bad := range Check(module, pkgs, Table) {
		t.Error(bad)
	}
}

// A row without packages would be a promise that nobody keeps.
func TestEveryRowHasAPackage(t *testing.T) {
	pkgs, err := Read("../..")
	if err != nil {
		t.Fatal(err)
	}
	taken := map[string]bool{}
	for _, p := range pkgs {
		row, _, _ := place(Table, p.Path)
		taken[row.Path] = true
	}
	for _, row := range Table {
		if row.Path != "examples" && !taken[row.Path] { // of examples, data alone counts
			t.Errorf("row %s: there is no such package", row.Path)
		}
	}
}

func TestArchitecturePageShowsTheTable(t *testing.T) {
	const file, begin, end = "../../docs/architecture.md", "<!-- floors -->\n", "<!-- /floors -->\n"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(page), begin)
	shown, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the lines %q and %q", file, begin, end)
	}
	want := Markdown(Table)
	if *update {
		if err := os.WriteFile(file, []byte(head+begin+want+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if shown != want {
		t.Errorf("%s does not show the table as it is; run: go test ./internal/floors -update\ngot:\n%s\nwant:\n%s", file, shown, want)
	}
}

// Each case is one import in one package; want is a part of the complaint, or
// empty where the import is allowed.
func TestCheckJudgesOneImport(t *testing.T) {
	tests := map[string]struct{ pkg, file, imports, want string }{
		"standard library":           {"tensor", "tensor/a.go", "slices", ""},
		"lower floor":                {"internal/scan", "internal/scan/a.go", module + "/internal/cell", ""},
		"same floor":                 {"rng", "rng/a.go", module + "/tensor", "floor 0 may import only floors below it"},
		"kernel of layers":           {"internal/kernel", "internal/kernel/a.go", module, "that is on floor 3"},
		"cell of time":               {"internal/cell", "internal/cell/a.go", module + "/internal/scan", "that is on floor 2"},
		"format of layers":           {"checkpoint/onnx", "checkpoint/onnx/a.go", module, "floor 3 may import only floors below it"},
		"format of another format":   {"checkpoint/onnx", "checkpoint/onnx/a.go", module + "/checkpoint/safetensors", "floor 3"},
		"own folder":                 {"checkpoint/onnx", "checkpoint/onnx/a.go", module + "/checkpoint/onnx/internal/pb", ""},
		"star row, own folder":       {"checkpoint/npy", "checkpoint/npy/a.go", module + "/checkpoint/npy/internal/x", ""},
		"star row, other folder":     {"checkpoint/npy", "checkpoint/npy/a.go", module + "/checkpoint/csv", "floor 3"},
		"what formats share":         {"checkpoint/npy", "checkpoint/npy/a.go", module + "/checkpoint", ""},
		"formats in what they share": {"checkpoint", "checkpoint/a.go", module + "/checkpoint/npy", "floor 2"},
		"format's library":           {"checkpoint/onnx", "checkpoint/onnx/a.go", "google.golang.org/protobuf/proto", ""},
		"another format's library":   {"checkpoint/torchfile", "checkpoint/torchfile/a.go", "google.golang.org/protobuf/proto", "does not name that library"},
		"library with a like prefix": {"checkpoint/onnx", "checkpoint/onnx/a.go", "google.golang.org/protobufs", "does not name that library"},
		"library in the kernel":      {"internal/kernel", "internal/kernel/a.go", "golang.org/x/sys/cpu", ""},
		"library in the root":        {".", "a.go", "gonum.org/v1/gonum/mat", "does not name that library"},
		"cgo":                        {"internal/kernel", "internal/kernel/a.go", "C", "no cgo"},
		"command, any library":       {"cmd/unroll", "cmd/unroll/a.go", "github.com/spf13/cobra", ""},
		"library of the command":     {".", "a.go", module + "/cmd/unroll", "that is on floor 8"},
		"same floor, named":          {"nn", "nn/a.go", module + "/internal/statedict", ""},
		"same floor, other way":      {"internal/statedict", "internal/statedict/a.go", module + "/nn", "floor 4"},
		"test kit in code":           {"nn", "nn/a.go", module + "/internal/testkit", "only tests may import it"},
		"test kit in a test":         {"rng", "rng/a_test.go", module + "/internal/testkit", ""},
		"test library in code":       {"nn", "nn/a.go", "pgregory.net/rapid", "does not name that library"},
		"test library in a test":     {"nn", "nn/a_test.go", "pgregory.net/rapid", ""},
		"other library in a test":    {"nn", "nn/a_test.go", "github.com/stretchr/testify", "does not name that library"},
		"reference of the engine":    {"internal/ref", "internal/ref/a.go", module + "/internal/cell", "shares nothing"},
		"reference's own test":       {"internal/ref", "internal/ref/a_test.go", module + "/internal/testkit", ""},
		"kit of a lower floor":       {"internal/testkit", "internal/testkit/a.go", module + "/checkpoint/safetensors", ""},
		"a package without a floor":  {"misc", "misc/a.go", "fmt", "misc stands on no floor"},
		"import without a floor":     {"cmd/unroll", "cmd/unroll/a.go", module + "/misc", "it stands on no floor"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			im := Import{File: tt.file, Path: tt.imports, Test: strings.HasSuffix(tt.file, "_test.go")}
			bad := Check(module, []Package{{Path: tt.pkg, Imports: []Import{im}}}, Table)
			switch {
			case tt.want == "" && len(bad) > 0:
				t.Errorf("forbidden: %q, want it allowed", bad)
			case tt.want != "" && (len(bad) != 1 || !strings.Contains(bad[0], tt.want)):
				t.Errorf("got %q, want one complaint with %q", bad, tt.want)
			}
		})
	}
}

func TestReadSeesEveryBuildTagAndSkipsWhatGoSkips(t *testing.T) {
	root := t.TempDir()
	for name, src := range map[string]string{
		"a.go":                  "package p\n\nimport \"fmt\"\n",
		"a_test.go":             "package p_test\n\nimport \"testing\"\n",
		"low/x_arm64.go":        "//go:build arm64 && !purego\n\npackage low\n\nimport _ \"unsafe\"\n",
		"low/gen.go":            "//go:build ignore\n\npackage main\n\nimport \"os\"\n",
		"testdata/bad.go":       "not Go at all",
		"_asm/bad.go":           "not Go at all",
		".git/bad.go":           "not Go at all",
		"other/go.mod":          "module other\n",
		"other/deep/foreign.go": "package deep\n",
	} {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(src), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pkgs, err := Read(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range pkgs {
		for _, im := range p.Imports {
			kind := ""
			if im.Test {
				kind = " test"
			}
			got = append(got, p.Path+" "+im.File+" "+im.Path+kind)
		}
	}
	want := ". a.go fmt|. a_test.go testing test|low low/x_arm64.go unsafe"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("got %s\nwant %s", s, want)
	}
}

func TestReadRefusesAFileThatIsNotGo(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "a.go"), []byte("pack age"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(root); err == nil || !strings.Contains(err.Error(), "a.go") {
		t.Errorf("got %v, want an error that names a.go", err)
	}
}
