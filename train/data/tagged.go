package data

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Tagged is a sentence with a label for each word.
type Tagged struct{ Words, Labels []string }

// TaggedOptions say which columns are read, counted from 1. Word 0 is the
// first that can be words, Label 0 the last.
type TaggedOptions struct{ Word, Label int }

// conllLine is a line of columns.
type conllLine struct {
	fields []string
	at     int // line of the file
}

var (
	// conllComment is what CoNLL-U writes before a sentence.
	conllComment = regexp.MustCompile(`^#\s*(?:[\w.:-]+\s*=|newdoc|newpar)`)
	// conllSpan is the index of words that are written as one, or of none.
	conllSpan = regexp.MustCompile(`^\d+[-.]\d+$`)
)

// ReadTagged reads CoNLL columns, separated by tabs if every line has one and by
// spaces otherwise; an empty line ends a sentence. Left out are lines that begin
// with -DOCSTART-, comments of CoNLL-U before a sentence, and its lines for
// several words. Columns that count, or are the same, in every sentence are no
// words. notes are what was found out, a sentence each.
func ReadTagged(f File, o TaggedOptions) (all []Tagged, notes []string, err error) {
	b, err := readText(f)
	if err != nil {
		return nil, nil, err
	}
	sentences, comments, spans, err := conllLines(f.Name(), string(b))
	if err != nil {
		return nil, nil, err
	}
	if comments > 0 {
		notes = append(notes, fmt.Sprintf("%s: left out %s that begin with #", f.Name(), counted(comments, "line")))
	}
	if spans > 0 {
		notes = append(notes, fmt.Sprintf("%s: left out %s whose index is like 1-2 or 1.1, for several words at once or for none", f.Name(), counted(spans, "line")))
	}
	columns := len(sentences[0][0].fields)
	if o.Label == 0 {
		o.Label = columns
	}
	if o.Word == 0 {
		if o.Word = firstWords(sentences, o.Label); o.Word > 1 {
			notes = append(notes, fmt.Sprintf("%s: what stands before column %d counts, or is the same, in every sentence: words are read from column %d, labels from column %d", f.Name(), o.Word, o.Word, o.Label))
		}
	}
	if most := max(o.Word, o.Label); min(o.Word, o.Label) < 1 || most > columns || o.Word == o.Label {
		return nil, nil, Fault(f.Name(), sentences[0][0].at, "words are asked for in column %d and labels in column %d, of %d", o.Word, o.Label, columns).Try("choose others with %s and %s", "word-column", "label-column")
	}
	var labels []string
	for _, s := range sentences {
		var t Tagged
		for _, l := range s {
			word, label := l.fields[o.Word-1], l.fields[o.Label-1]
			if word == "" || label == "" {
				return nil, nil, Fault(f.Name(), l.at, "an empty word or label; fill it in or take the line out")
			}
			t.Words, t.Labels = append(t.Words, word), append(t.Labels, label)
		}
		all, labels = append(all, t), append(labels, t.Labels...)
	}
	return all, append(notes, alike(f.Name(), labels)...), nil
}

// conllLines cuts a text into sentences of lines with equally many columns.
func conllLines(file, text string) (all [][]conllLine, comments, spans int, err error) {
	tabs := tabbed(text)
	var cur []conllLine
	columns, at := 0, 0
	end := func() {
		if len(cur) > 0 {
			all, cur = append(all, cur), nil
		}
	}
	for l := range strings.Lines(text) {
		at++
		l = strings.TrimRight(l, "\r\n")
		if strings.Trim(l, " \t") == "" {
			end()
			continue
		}
		f := conllFields(l, tabs)
		switch {
		case f[0] == "-DOCSTART-":
			continue
		case strings.HasPrefix(l, "#") && len(cur) == 0 && (conllComment.MatchString(l) || columns > 0 && len(f) != columns || len(f) == 1):
			comments++
			continue
		case len(f) < 2:
			return nil, 0, 0, Fault(file, at, "one column, expected a word and its label, separated by white space")
		case columns > 0 && len(f) != columns:
			return nil, 0, 0, Fault(file, at, "%d columns, the lines before have %d; each line needs the same, separated by tabs where words have spaces in them", len(f), columns)
		}
		columns = len(f)
		cur = append(cur, conllLine{f, at})
	}
	end()
	if len(all) == 0 {
		return nil, 0, 0, Fault(file, 0, "it holds no sentence")
	}
	all, spans = withoutSpans(all)
	return all, comments, spans, nil
}

// withoutSpans leaves out lines for several words, or for none, where the others
// are numbered, and counts them.
func withoutSpans(all [][]conllLine) (kept [][]conllLine, n int) {
	var words [][]conllLine
	for _, s := range all {
		w := slices.DeleteFunc(slices.Clone(s), func(l conllLine) bool { return conllSpan.MatchString(l.fields[0]) })
		n += len(s) - len(w)
		if len(w) > 0 {
			words = append(words, w)
		}
	}
	if len(words) > 0 && counts(words, 0) {
		return words, n
	}
	return all, 0
}

// tabbed reports whether every line with something in it has a tab, comments
// apart.
func tabbed(text string) bool {
	some := false
	for l := range strings.Lines(text) {
		if strings.TrimSpace(l) == "" || strings.HasPrefix(l, "#") || strings.HasPrefix(l, "-DOCSTART-") {
			continue
		}
		if !strings.Contains(strings.TrimRight(l, "\t\r\n"), "\t") {
			return false
		}
		some = true
	}
	return some
}

// conllFields cuts a line at tabs, or at spaces and tabs; a no-break space is
// part of a word.
func conllFields(l string, tabs bool) []string {
	if !tabs {
		return strings.FieldsFunc(l, func(r rune) bool { return r == ' ' || r == '\t' })
	}
	f := strings.Split(strings.TrimRight(l, "\t "), "\t")
	for i := range f {
		f[i] = strings.Trim(f[i], " ")
	}
	return f
}

// firstWords is the first column that can be words: that neither counts from 0
// or 1 on nor is the same in every sentence. It is 1 if there is none before the
// label.
func firstWords(sentences [][]conllLine, label int) int {
	longer := 0
	for _, s := range sentences {
		if len(s) > 1 {
			longer++
		}
	}
	for c := 1; c < label; c++ {
		if longer == 0 || !counts(sentences, c-1) && (longer == 1 || !repeats(sentences, c-1)) {
			return c
		}
	}
	return 1
}

// counts reports whether a column counts the words of every sentence, from 0 or 1
// on or from the sentence before.
func counts(sentences [][]conllLine, c int) bool {
	next := 0
	for _, s := range sentences {
		first, err := strconv.Atoi(s[0].fields[c])
		if err != nil || first != 0 && first != 1 && first != next {
			return false
		}
		next = first + len(s)
		for i, l := range s {
			if l.fields[c] != strconv.Itoa(first+i) {
				return false
			}
		}
	}
	return true
}

// repeats reports whether a column is one word through every sentence.
func repeats(sentences [][]conllLine, c int) bool {
	for _, s := range sentences {
		for _, l := range s {
			if l.fields[c] != s[0].fields[c] {
				return false
			}
		}
	}
	return true
}
