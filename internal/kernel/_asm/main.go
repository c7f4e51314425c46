// Command _asm writes the assembler files of package kernel.
//
//	go run . -out DIR
//
// writes every *_amd64.s and *_arm64.s into DIR. The package's `go generate` runs it over the
// committed files; check-generated.sh and TestGenerated compare.
//
// What the files compute is defined by pure Go code, of the package and of the
// cells; the stubs in stubs_amd64.go and the operations of fused.go and chain.go
// say which loop each routine replaces. Offsets of arguments and places in tables
// come from go_asm.h, which the go command writes from the package's own types and
// constants.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// files are the outputs, each with the routines it holds.
var files = []struct {
	name string
	emit func(*writer)
}{
	{"peak_amd64.s", func(w *writer) { peakFile(w, avx512); peakFile(w, avx2) }},
	{"pause_amd64.s", pauseFile},
	{"call_amd64.s", callFile},
	{"optimise_amd64.s", optimiseFile},
	{"exp_amd64.s", func(w *writer) { expFile(w, avx512); expFile(w, avx2) }},
	{"transpose_amd64.s", func(w *writer) { transposeFile(w, avx512); transposeFile(w, avx2) }},
	{"chain_amd64.s", func(w *writer) { chainFile(w, avx512); chainFile(w, avx2) }},
	{"mul_avx512_amd64.s", func(w *writer) { mulFile(w, avx512) }},
	{"gates_avx512_amd64.s", func(w *writer) { gatesFile(w, avx512) }},
	{"gates_avx2_amd64.s", func(w *writer) { gatesFile(w, avx2) }},
	{"mul_avx2_amd64.s", func(w *writer) { mulFile(w, avx2) }},
	{"fold_amd64.s", func(w *writer) { foldFile(w, avx512); foldFile(w, avx2) }},
	{"mul16_amd64.s", func(w *writer) { mulFile(w, avx512.halved()); mulFile(w, avx2.halved()) }},
	{"bytes_amd64.s", func(w *writer) { bytesFile(w, avx512); bytesFile(w, avx2) }},
	{"slide_amd64.s", func(w *writer) { mulFile(w, avx512.sliding()); mulFile(w, avx2.sliding()) }},
	{"mul8_amd64.s", func(w *writer) { mul8File(w, avx512); mul8File(w, avx2) }},
	{"quantise_amd64.s", func(w *writer) { quantiseFile(w, avx512); quantiseFile(w, avx2) }},
	{"call_arm64.s", callNEONFile},
	{"peak_arm64.s", peakNEONFile},
	{"optimise_arm64.s", optimiseNEONFile},
	{"exp_arm64.s", expNEONFile},
	{"transpose_arm64.s", transposeNEONFile},
	{"chain_arm64.s", chainNEONFile},
	{"gates_arm64.s", gatesNEONFile},
	{"mul_arm64.s", func(w *writer) { mulNEONFile(w, singles) }},
	{"fold_arm64.s", foldNEONFile},
	{"mul16_arm64.s", func(w *writer) { mulNEONFile(w, halves) }},
	{"bytes_arm64.s", bytesNEONFile},
	{"slide_arm64.s", func(w *writer) { mulNEONFile(w, sliding) }},
	{"mul8_arm64.s", mul8NEONFile},
	{"quantise_arm64.s", quantiseNEONFile},
}

func main() {
	out := flag.String("out", ".", "directory to write to")
	flag.Parse()
	for _, f := range files {
		w := newWriter(architecture(f.name))
		f.emit(w)
		if err := os.WriteFile(filepath.Join(*out, f.name), w.Bytes(), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// architecture is what the name of a file ends in.
func architecture(name string) string {
	return strings.TrimSuffix(name[strings.LastIndex(name, "_")+1:], ".s")
}
