package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"strings"
	"testing"
)

// TestFilesThatAreNoText: every command that reads text refuses a picture, an archive
// and other foreign files under a text's name, says what came, and writes nothing.
func TestFilesThatAreNoText(t *testing.T) {
	picture, err := os.ReadFile("../../docs/images/explain-grid.png")
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	models, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(models) })
	if err := os.CopyFS(models, os.DirFS("../../task/testdata/v0")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, name := range []string{"no.png", "no.csv", "no.parquet", "./no"} {
		if said := refused(t, codeUsage, "predict", models+"/text", name); !strings.Contains(said, "looks like a file, and there is none") {
			t.Errorf("predict %s says %q", name, said)
		}
	}
	many := strings.Repeat("x", 99) + "\n"
	for want, b := range map[string][]byte{
		"a PNG picture": picture,
		"a JPEG picture; a file of text is expect": []byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00" + many),
		"compressed with gzip; unpack it":          packed.Bytes(),
		"a zip archive":                            []byte("PK\x03\x04\x14\x00\n" + many),
		"a Parquet file":                           []byte("PAR1\x15\x04\n" + many),
		"WAV sound":                                []byte("RIFF\n\x0a\x00\x00WAVEfmt \x00\n" + many),
		"UTF-16":                                   []byte("\xff\xfeh\x00i\x00\n\x00"),
		"a byte that is 0, as no text does":        []byte("h\x00i\x00\n\x00"),
		"not valid UTF-8; convert the file":        []byte("caf\xe9\nhello\n"),
	} {
		for _, name := range []string{"a.txt", "a.csv", "a.json", "a.conll"} {
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, line := range []string{
			"predict M/text a.txt", "predict M/classify a.txt", "predict M/tag a.conll", "predict M/number a.txt", "predict M/forecast a.csv", "predict M/music a.json -o m.mid",
			"train a.txt --task text -o m", "train a.csv --task classify -o m", "train a.conll --task tag -o m", "train a.csv --task forecast -o m", "train a.json --task music -o m",
			"eval M/text a.txt", "eval M/classify a.csv", "explain M/text a.txt", "explain M/text a.txt --step 0", "explain M/classify a.txt --html x.html",
		} {
			said := refused(t, codeFailure, strings.Fields(strings.ReplaceAll(line, "M/", models+"/"))...)
			if !strings.Contains(said, want) || !strings.Contains(said, "a."+strings.Split(strings.Split(line, " a.")[1], " ")[0]+":") {
				t.Errorf("unroll %s says %q, want %q of the file", line, said, want)
			}
		}
		for _, model := range []string{"text", "classify", "tag"} {
			var out, said strings.Builder
			if code := execute(t.Context(), []string{"predict", models + "/" + model, "-"}, bytes.NewReader(b), &out, &said); code != codeFailure {
				t.Errorf("predict %s of %s on standard input: %d, %s", model, want, code, &said)
			}
		}
	}
}

// TestPromptIsNotWrittenBeforeWhatIsWrong: predict writes the prompt and then goes on.
func TestPromptIsNotWrittenBeforeWhatIsWrong(t *testing.T) {
	refused(t, codeUsage, "predict", "../../task/testdata/v0/text", "--prompt", "")
}
