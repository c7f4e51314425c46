package main

import "strings"

// settingsForm is the form of the settings a checkpoint holds. In those without
// one, of the first releases, 0 stood for a default; from form 1 on it is 0.
const settingsForm = 1

// upgrade gives settings of an older form the words of this one.
func (t *trainFlags) upgrade() {
	if t.Form >= 1 {
		return
	}
	t.Form = settingsForm
	if t.LR == 0 {
		t.LR = 1e-3
		switch strings.ToLower(t.Optimizer) {
		case "rmsprop", "adagrad":
			t.LR = 1e-2
		}
	}
	if t.Factor == 0 {
		t.Factor = 0.1
	}
}
