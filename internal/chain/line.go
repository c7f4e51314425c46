package chain

import (
	"strconv"
	"strings"
)

// Chain is a line of the language. It does not change, and may be used by many
// goroutines.
type Chain struct {
	text string
	// pipes are the statements in order. The last len(outputs) have no name or
	// are the results.
	pipes   []pipe
	results []pipe
}

// pipe is steps joined by "|", and the name its value gets.
type pipe struct {
	name  string
	pos   int
	steps []step
}

// step is a module, function, value or input by its name, with arguments and an
// index; a name of "" is an index alone.
type step struct {
	pos    int
	name   string
	quoted bool // a name in quotes is a module's
	called bool // it has parentheses
	args   []arg
	index  []item
}

// arg is an argument; name is empty for one by position.
type arg struct {
	pos   int
	name  string
	value any // nil, bool, int64, float64, string, []any of these, or ref
}

// ref is the name of a value.
type ref string

// item is one part of an index: a number, a slice, "..." or None.
type item struct {
	kind       byte // 'i', ':', '.', 'n'
	index      int64
	start, end *int64
	step       int64
}

// String returns the line in its one form, which Parse reads as the same chain.
func (c *Chain) String() string {
	var parts []string
	for _, p := range c.pipes {
		parts = append(parts, p.name+" = "+p.String())
	}
	var out []string
	for _, p := range c.results {
		out = append(out, p.String())
	}
	return strings.Join(append(parts, strings.Join(out, ", ")), "; ")
}

// String writes the steps.
func (p pipe) String() string {
	parts := make([]string, len(p.steps))
	for i, s := range p.steps {
		parts[i] = s.String()
	}
	return strings.Join(parts, " | ")
}

// String writes name, arguments and index.
func (s step) String() string {
	name := s.name
	if s.quoted {
		name = quote(s.name)
	}
	if s.called || len(s.args) > 0 {
		parts := make([]string, len(s.args))
		for i, a := range s.args {
			parts[i] = literal(a.value)
			if a.name != "" {
				parts[i] = a.name + "=" + parts[i]
			}
		}
		name += "(" + strings.Join(parts, ", ") + ")"
	}
	if s.index == nil {
		return name
	}
	parts := make([]string, len(s.index))
	for i, it := range s.index {
		parts[i] = it.String()
	}
	return name + "[" + strings.Join(parts, ", ") + "]"
}

// String writes one part of an index.
func (it item) String() string {
	switch it.kind {
	case 'i':
		return strconv.FormatInt(it.index, 10)
	case '.':
		return "..."
	case 'n':
		return "None"
	}
	s := ":"
	if it.start != nil {
		s = strconv.FormatInt(*it.start, 10) + s
	}
	if it.end != nil {
		s += strconv.FormatInt(*it.end, 10)
	}
	if it.step != 1 {
		s += ":" + strconv.FormatInt(it.step, 10)
	}
	return s
}

// literal writes an argument's value as Python has it.
func literal(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return s
	case string:
		return quote(v)
	case ref:
		return string(v)
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = literal(x)
		}
		if len(parts) == 1 {
			return "(" + parts[0] + ",)"
		}
		return "(" + strings.Join(parts, ", ") + ")"
	}
	return "?"
}

func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
