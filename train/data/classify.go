package data

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/train"
)

// Labelled is a text and its class.
type Labelled struct{ Text, Label string }

// ReadLabelled reads labelled texts: a folder with a file (one text a line) or
// a folder (one text a file) for each class; or a .csv with a header line; or
// JSON Lines. text and label name the columns.
func ReadLabelled(path, text, label string) ([]Labelled, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	var all []Labelled
	switch {
	case st.IsDir():
		all, err = readFolder(path)
	case strings.HasSuffix(path, ".csv"):
		all, err = readCSV(path, text, label)
	default:
		all, err = readJSONLines(path, text, label)
	}
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fault(path, 0, "it holds no labelled text")
	}
	return all, nil
}

func readFolder(dir string) (all []Labelled, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.Name() == "README.md" || e.Name() == "LICENSE" {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			files, err := os.ReadDir(path)
			if err != nil {
				return nil, err
			}
			for _, f := range files {
				b, err := readFile(filepath.Join(path, f.Name()))
				if err != nil {
					return nil, err
				}
				all = append(all, Labelled{string(b), e.Name()})
			}
			continue
		}
		b, err := readFile(path)
		if err != nil {
			return nil, err
		}
		class := strings.TrimSuffix(e.Name(), filepath.Ext(e.Name()))
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); line != "" {
				all = append(all, Labelled{line, class})
			}
		}
	}
	return all, nil
}

func readCSV(path, text, label string) (all []Labelled, err error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(b))
	head, err := r.Read()
	if err != nil {
		return nil, csvFault(path, err)
	}
	ti, li := slices.Index(head, text), slices.Index(head, label)
	if ti < 0 || li < 0 {
		return nil, fault(path, 1, "the header is %s, expected columns %q and %q; name yours with --text-column and --label-column", strings.Join(head, ","), text, label)
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, csvFault(path, err)
		}
		line, _ := r.FieldPos(0)
		if row[ti] == "" || row[li] == "" {
			return nil, fault(path, line, "an empty text or label; fill it in or take the line out")
		}
		all = append(all, Labelled{row[ti], row[li]})
	}
}

// csvFault puts file, line and advice to what encoding/csv found.
func csvFault(path string, err error) error {
	var p *csv.ParseError
	if errors.As(err, &p) {
		if errors.Is(p.Err, csv.ErrFieldCount) {
			return fault(path, p.Line, "it has more or fewer fields than the header; each line needs the same columns")
		}
		return fault(path, p.Line, "%v; put text with quotes or commas in double quotes", p.Err)
	}
	if err == io.EOF {
		return fault(path, 0, "it has no header line")
	}
	return err
}

func readJSONLines(path, text, label string) (all []Labelled, err error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, len(b)+1)
	for line := 1; s.Scan(); line++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		var m map[string]any
		if err := json.Unmarshal(s.Bytes(), &m); err != nil {
			return nil, fault(path, line, "%v; expected one JSON object a line", err)
		}
		t, ok := m[text].(string)
		l := m[label]
		if !ok || l == nil {
			return nil, fault(path, line, "expected a string %q and a label %q; name yours with --text-column and --label-column", text, label)
		}
		all = append(all, Labelled{t, fmt.Sprint(l)})
	}
	return all, s.Err()
}

// Pad is the token that fills batches.
const Pad = "<pad>"

// Classify makes the task of telling a text's class from its characters or
// words. Validation and test are held-out shares drawn with seed.
func Classify(path, text, label, level string, known *nn.Config, limit, batch int, valid, test float64, seed uint64) (*Task, error) {
	all, err := ReadLabelled(path, text, label)
	if err != nil {
		return nil, err
	}
	a, v, e := split(len(all), valid, test, seed)
	if len(a) == 0 || len(v) == 0 {
		return nil, fault(path, 0, "%d texts are too few for training and validation", len(all))
	}
	var vocab *nn.Vocabulary
	var classes []string
	if known != nil {
		vocab, classes = known.Vocabulary, known.Classes
	} else {
		var tokens []string
		for _, i := range a {
			tokens = append(tokens, Split(all[i].Text, level)...)
		}
		vocab = BuildVocabulary(tokens, level, limit, Pad)
		vocab.Pad = 0
		for _, l := range all {
			classes = append(classes, l.Label)
		}
		slices.Sort(classes)
		classes = slices.Compact(classes)
	}
	if len(classes) < 2 {
		return nil, fault(path, 0, "there is one class, %q; at least 2 are needed", classes)
	}
	items := func(idx []int) (train.Data, error) {
		s := &sequences{ordered: ordered{n: len(idx)}, batch: batch, last: true}
		for _, i := range idx {
			c, ok := slices.BinarySearch(classes, all[i].Label)
			ids := Encode(vocab, Split(all[i].Text, level))
			if !ok || len(ids) == 0 {
				return nil, fault(path, 0, "text %d, class %q: an empty text, or a class the model does not know", i+1, all[i].Label)
			}
			s.tokens, s.labels = append(s.tokens, ids), append(s.labels, []int{c})
		}
		return s, nil
	}
	t := &Task{
		Config: nn.Config{
			Task: "classify", NumEmbeddings: len(vocab.Tokens), PaddingIdx: &vocab.Pad, OutFeatures: len(classes), Output: "last",
			Vocabulary: vocab, Classes: classes,
		},
		Objective: &train.ClassesOf[float32]{}, Unit: "nats a text", Items: "texts",
		About: fmt.Sprintf("%d texts of %d classes: %d for training, %d for validation, %d for test", len(all), len(classes), len(a), len(v), len(e)),
	}
	if t.Train, err = items(a); err != nil {
		return nil, err
	}
	if t.Valid, err = items(v); err != nil {
		return nil, err
	}
	if len(e) > 0 {
		t.Test, err = items(e)
	}
	return t, err
}

// Tagged is a sentence with a label for each word.
type Tagged struct{ Words, Labels []string }

// ReadTagged reads CoNLL columns: a word and, in the last column, its label;
// an empty line ends a sentence; lines that begin with -DOCSTART- are skipped.
func ReadTagged(path string) (all []Tagged, err error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var cur Tagged
	line := 0
	for l := range strings.Lines(string(b)) {
		line++
		f := strings.Fields(l)
		switch {
		case len(f) == 0:
			if len(cur.Words) > 0 {
				all, cur = append(all, cur), Tagged{}
			}
		case f[0] == "-DOCSTART-":
		case len(f) < 2:
			return nil, fault(path, line, "one column, expected a word and its label, separated by white space")
		default:
			cur.Words, cur.Labels = append(cur.Words, f[0]), append(cur.Labels, f[len(f)-1])
		}
	}
	if len(cur.Words) > 0 {
		all = append(all, cur)
	}
	if len(all) == 0 {
		return nil, fault(path, 0, "it holds no sentence")
	}
	return all, nil
}

// Tag makes the task of giving each word its label.
func Tag(path string, known *nn.Config, limit, batch int, valid, test float64, seed uint64) (*Task, error) {
	all, err := ReadTagged(path)
	if err != nil {
		return nil, err
	}
	a, v, e := split(len(all), valid, test, seed)
	if len(a) == 0 || len(v) == 0 {
		return nil, fault(path, 0, "%d sentences are too few for training and validation", len(all))
	}
	var vocab *nn.Vocabulary
	var classes []string
	if known != nil {
		vocab, classes = known.Vocabulary, known.Classes
	} else {
		var words []string
		for _, i := range a {
			words = append(words, all[i].Words...)
		}
		vocab = BuildVocabulary(words, "word", limit, Pad)
		vocab.Pad = 0
		for _, s := range all {
			classes = append(classes, s.Labels...)
		}
		slices.Sort(classes)
		classes = slices.Compact(classes)
	}
	items := func(idx []int) (train.Data, error) {
		s := &sequences{ordered: ordered{n: len(idx)}, batch: batch}
		for _, i := range idx {
			var labels []int
			for _, l := range all[i].Labels {
				c, ok := slices.BinarySearch(classes, l)
				if !ok {
					return nil, fault(path, 0, "sentence %d has label %q, which the model does not know", i+1, l)
				}
				labels = append(labels, c)
			}
			s.tokens, s.labels = append(s.tokens, Encode(vocab, all[i].Words)), append(s.labels, labels)
		}
		return s, nil
	}
	t := &Task{
		Config: nn.Config{
			Task: "tag", NumEmbeddings: len(vocab.Tokens), PaddingIdx: &vocab.Pad, OutFeatures: len(classes), Vocabulary: vocab, Classes: classes,
		},
		Objective: &train.ClassesOf[float32]{}, Unit: "nats a word", Items: "words",
		About: fmt.Sprintf("%d tagged sentences with %d labels: %d for training, %d for validation, %d for test", len(all), len(classes), len(a), len(v), len(e)),
	}
	if t.Train, err = items(a); err != nil {
		return nil, err
	}
	if t.Valid, err = items(v); err != nil {
		return nil, err
	}
	if len(e) > 0 {
		t.Test, err = items(e)
	}
	return t, err
}
