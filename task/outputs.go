package task

import "fmt"

// Outputs says what the numbers are that a network of t gives at each step, or at
// the end: their names in order, and the function that makes a row of them what the
// task answers with: "softmax" or "sigmoid" for probabilities, "" for the numbers
// themselves, which for a forecast are standardised changes (data.Scaling). Before
// the task has learnt anything there are no names.
func Outputs(t Task) (names []string, function string) { return t.outputs() }

func (t *Classify) outputs() ([]string, string) { return t.Classes, "softmax" }

func (t *Tag) outputs() ([]string, string) { return t.Classes, "softmax" }

func (t *Text) outputs() ([]string, string) {
	if t.Vocabulary == nil {
		return nil, "softmax"
	}
	return t.Vocabulary.Tokens, "softmax"
}

func (t *Music) outputs() (names []string, function string) {
	const piano = 88 // keys from A0 on
	for k := range t.Keys {
		name := fmt.Sprintf("key %d", k)
		if t.Keys == piano {
			name = fmt.Sprintf("%s%d", [...]string{"A", "A#", "B", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#"}[k%12], (k+9)/12)
		}
		names = append(names, name)
	}
	return names, "sigmoid"
}

func (t *Forecast) outputs() (names []string, function string) {
	for h := range t.Horizon {
		for _, target := range t.Targets {
			names = append(names, fmt.Sprintf("%s +%d", target, h+1))
		}
	}
	return names, ""
}
