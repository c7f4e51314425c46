package chain

import (
	"errors"
	"strings"
	"testing"
)

// lines are lines of the language and their one form.
var lines = []struct{ text, form string }{
	{"lstm|last|fc", "lstm | last | fc"},
	{"  embedding | rnn | fc | log_softmax( dim = -1 ) ", "embedding | rnn | fc | log_softmax(dim=-1)"},
	{"y = gru; a = y | w | tanh | v | softmax(dim=1); mul(a, y) | sum(dim=1) | fc", "y = gru; a = y | w | tanh | v | softmax(dim=1); mul(a, y) | sum(dim=1) | fc"},
	{"cnn.0(padding=1) | max_pool2d((2, 1))", "cnn.0(padding=1) | max_pool2d((2, 1))"},
	{"c(stride=[2,1], padding=(1,), k=(2), mode=\"same\")", "c(stride=(2, 1), padding=(1,), k=2, mode='same')"},
	{"x[:, -1] | fc", "x[:, -1] | fc"},
	{"a = x[1:3:2, ..., None, 0]\n; cat(a, x1, dim=-1,)", "a = x[1:3:2, ..., None, 0]; cat(a, x1, dim=-1)"},
	{"gru | [ : , :5 ]", "gru | [:, :5]"},
	{"clamp(min=1e-5, max=+2) | pow(2.0) | f(a=True, b=False, c=None)", "clamp(min=1e-05, max=2) | pow(2.0) | f(a=True, b=False, c=None)"},
	{"'an odd | name'(padding=1) | 'a' 'b'", ""},
	{`'it\'s' | "a\\b"`, `'it\'s' | 'a\\b'`},
	{"model_state/lstm | enc-1.fc | 0 | 1.2", "model_state/lstm | enc-1.fc | 0 | 1.2"},
	{"f = lstm; f | p, f | v", "f = lstm; f | p, f | v"},
	{"relu()", "relu()"},
	{"слой.0 | fc", "слой.0 | fc"},
}

func TestParseWritesWhatItRead(t *testing.T) {
	for _, l := range lines {
		c, err := Parse(l.text)
		if l.form == "" {
			if !errors.Is(err, ErrSyntax) {
				t.Errorf("%q: %v", l.text, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", l.text, err)
			continue
		}
		if got := c.String(); got != l.form {
			t.Errorf("%q is %q, want %q", l.text, got, l.form)
		}
		again, err := Parse(c.String())
		if err != nil || again.String() != c.String() {
			t.Errorf("%q: its own form reads as %v, %v", l.text, again, err)
		}
	}
}

func TestMistakesHaveTheirPlace(t *testing.T) {
	for _, m := range []struct {
		text string
		at   int
		says string
	}{
		{"", 0, "expected a module, a function or a value, not the end of the line"},
		{"lstm |", 6, "not the end of the line"},
		{"lstm | | fc", 7, `not '|'`},
		{"lstm fc", 5, `expected '|', ';' or the end, not 'f'`},
		{"a = lstm", 8, "the last value has a name (a)"},
		{"lstm; fc", 0, "this value is not the last and has no name"},
		{"fc(2", 4, `expected ',' or ')'`},
		{"fc(a=1, 2)", 8, "without a name follows"},
		{"fc(a=1, a=2)", 8, "the argument a is there twice"},
		{"fc(1.2.3)", 3, "is not a number"},
		{"fc(1e999)", 3, "is not a number"},
		{"fc('abc", 3, "does not end"},
		{"fc((((((1))))))", 7, "nested more than 4 deep"},
		{"fc(@)", 3, "expected a number, a string"},
		{"x[]", 2, "an index is empty"},
		{"x[1.5]", 2, "not a whole number"},
		{"x[::-1]", 4, "step -1"},
		{"x[a]", 2, "expected a whole number or ':'"},
		{"fc\x00", 2, "expected '|'"},
		{"fc\xff", 0, "not UTF-8"},
		{"f(" + strings.Repeat("1,", 65) + ")", 2 + 2*64, "more than 64 arguments"},
		{"f((" + strings.Repeat("1,", 65) + "))", 2, "more than 64 elements"},
		{strings.Repeat("f|", maxSteps) + "f", 2 * maxSteps, "more than 4096 steps"},
		{strings.Repeat("a", maxName+1), 0, "a name has 1025 bytes"},
		{strings.Repeat("f|", maxText), 0, "at most 65536 are read"},
	} {
		c, err := Parse(m.text)
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrSyntax) {
			t.Errorf("%.40q: %v, %v", m.text, c, err)
			continue
		}
		if e.Pos != m.at || !strings.Contains(e.Error(), m.says) {
			t.Errorf("%.40q: at %d: %v; want at %d: %s", m.text, e.Pos, e, m.at, m.says)
		}
	}
}

func TestTheCaretStandsBelowThePlace(t *testing.T) {
	for _, text := range []string{
		"lstm | last fc",
		strings.Repeat("слой | ", 40) + "last fc | " + strings.Repeat("слой | ", 40) + "fc",
		"a = lstm;\nlast fc; a",
	} {
		_, err := Parse(text)
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != 3 || len([]rune(lines[1])) > widest+8 {
			t.Fatalf("%q", lines)
		}
		column := len([]rune(lines[2])) - 1
		if got := string([]rune(lines[1])[column:][:2]); got != "fc" {
			t.Errorf("the caret of\n%v\nstands below %q", err, got)
		}
	}
}

// FuzzParse: no line makes Parse fail in another way than it says, and what it
// reads, it writes and reads again as the same.
func FuzzParse(f *testing.F) {
	for _, l := range lines {
		f.Add(l.text)
	}
	for _, s := range []string{"f((((1,),),),)", "x[::2, None] | 'a'", "a=b;c=a;add(a,c)", "f(-.5e-3, 'x')", "f(1-1)", "''", "''(kind='linear')[0]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrSyntax) || len(err.Error()) > 8192 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		again, err := Parse(c.String())
		if err != nil || again.String() != c.String() {
			t.Fatalf("%q: its form %q reads as %v, %v", text, c, again, err)
		}
	})
}
