package data

import "strings"

// Tagged is a sentence with a label for each word.
type Tagged struct{ Words, Labels []string }

// ReadTagged reads CoNLL columns: a word and, in the last column, its label;
// an empty line ends a sentence; lines that begin with -DOCSTART- are skipped.
func ReadTagged(path string) (all []Tagged, err error) {
	b, err := readText(path)
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
			return nil, Fault(path, line, "one column, expected a word and its label, separated by white space")
		default:
			cur.Words, cur.Labels = append(cur.Words, f[0]), append(cur.Labels, f[len(f)-1])
		}
	}
	if len(cur.Words) > 0 {
		all = append(all, cur)
	}
	if len(all) == 0 {
		return nil, Fault(path, 0, "it holds no sentence")
	}
	return all, nil
}
