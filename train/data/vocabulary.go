package data

import (
	"slices"
	"strings"
)

// Vocabulary are the tokens of a model that reads text.
type Vocabulary struct {
	Level   string   `json:"level"` // "char" or "word"
	Tokens  []string `json:"tokens"`
	Unknown int      `json:"unknown"` // the token for everything else; -1: none
	Pad     int      `json:"pad"`     // the token that fills batches; -1: none
}

// Pad is the token that fills batches.
const Pad = "<pad>"

// Unknown is the word for all words that the vocabulary does not hold.
const Unknown = "<unk>"

// Split cuts text into the tokens of a level: "char" or "word". Words are what
// stands between white space; an end of line is a word of its own.
func Split(text, level string) []string {
	if level == "char" {
		out := make([]string, 0, len(text))
		for _, r := range text {
			out = append(out, string(r))
		}
		return out
	}
	var out []string
	for line := range strings.Lines(text) {
		out = append(out, strings.Fields(line)...)
		if strings.HasSuffix(line, "\n") {
			out = append(out, "\n")
		}
	}
	return out
}

// Join is Split the other way.
func Join(tokens []string, level string) string {
	if level == "char" {
		return strings.Join(tokens, "")
	}
	return strings.ReplaceAll(strings.ReplaceAll(strings.Join(tokens, " "), " \n ", "\n"), " \n", "\n")
}

// BuildVocabulary collects the tokens of a training part: all characters, or
// the most frequent words (limit 0: all), with a place for unknown ones. extra
// tokens come first.
func BuildVocabulary(tokens []string, level string, limit int, extra ...string) *Vocabulary {
	count := map[string]int{}
	for _, t := range tokens {
		count[t]++
	}
	all := make([]string, 0, len(count))
	for t := range count {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b string) int {
		if level == "word" && count[a] != count[b] {
			return count[b] - count[a]
		}
		return strings.Compare(a, b)
	})
	if limit > 0 && len(all) > limit {
		all = all[:limit]
	}
	v := &Vocabulary{Level: level, Unknown: len(extra), Pad: -1}
	v.Tokens = append(append(slices.Clone(extra), Unknown), all...)
	return v
}

// Index returns each token's number.
func (v *Vocabulary) Index() map[string]int {
	index := make(map[string]int, len(v.Tokens))
	for i, t := range v.Tokens {
		index[t] = i
	}
	return index
}

// Encode turns tokens into their numbers.
func Encode(v *Vocabulary, tokens []string) []int {
	index := v.Index()
	out := make([]int, len(tokens))
	for i, t := range tokens {
		n, ok := index[t]
		if !ok {
			n = max(v.Unknown, 0)
		}
		out[i] = n
	}
	return out
}
