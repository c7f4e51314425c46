package chain

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// param is an argument of a function or a module: its name, and its default as
// literals have it; need says that it has none.
type param struct {
	name string
	def  any
	need bool
	// rest takes all arguments by position from here on, as permute(2, 0, 1).
	rest bool
	// silent changes nothing in evaluation.
	silent bool
}

func need(name string) param         { return param{name: name, need: true} }
func opt(name string, def any) param { return param{name: name, def: def} }
func silent(name string) param       { return param{name: name, silent: true} }

// call is a step with its arguments bound.
type call struct {
	*builder
	what string // the step's name
	in   []*value
	args map[string]any
	said map[string]bool // by the line or the file
	m    *module         // nil for a function
}

// bind gives the parameters what the step says, what the file's module says, or
// their defaults. Where both say something they have to agree.
func (b *builder) bind(what string, params []param, args []arg, m *module) (*call, error) {
	c := &call{builder: b, what: what, args: map[string]any{}, said: map[string]bool{}, m: m}
	for _, p := range params {
		c.args[p.name] = p.def
		if m != nil {
			if v, ok := m.attr(p.name); ok && plainAttr(v) {
				c.args[p.name], c.said[p.name] = v, true
			}
		}
	}
	given := map[string]bool{}
	for i := 0; i < len(args); i++ {
		a, name := args[i], args[i].name
		if name == "" {
			if i >= len(params) {
				return nil, b.failAt(a.pos, ErrArgument, "%s has at most %d arguments: %s", what, len(params), paramNames(params))
			}
			name = params[i].name
			if params[i].rest {
				a.value, i = restOf(args[i:]), i+positional(args[i:])-1
			}
		}
		if !slices.ContainsFunc(params, func(p param) bool { return p.name == name }) {
			return nil, b.failAt(a.pos, ErrArgument, "%s has no argument %q; it has %s", what, name, paramNames(params))
		}
		if given[name] {
			return nil, b.failAt(a.pos, ErrArgument, "%s gets %s twice", what, name)
		}
		if c.said[name] && !agree(c.args[name], a.value) {
			return nil, b.failAt(a.pos, ErrArgument, "%s(%s=%s): the module in the file has %s=%s", what, name, literal(a.value), name, literal(c.args[name]))
		}
		given[name] = true
		c.args[name], c.said[name] = a.value, true
	}
	for _, p := range params {
		if p.need && !c.said[p.name] {
			return nil, b.fail("%s needs the argument %s, as in %s(%s=...)", what, p.name, what, p.name)
		}
	}
	return c, nil
}

// positional counts the arguments without a name at the beginning.
func positional(args []arg) int {
	for i, a := range args {
		if a.name != "" {
			return i
		}
	}
	return len(args)
}

// restOf is the tuple of the arguments by position; of a single one itself.
func restOf(args []arg) any {
	args = args[:positional(args)]
	if len(args) == 1 {
		return args[0].value
	}
	list := make([]any, len(args))
	for i, a := range args {
		list[i] = a.value
	}
	return list
}

// plainAttr reports whether a module's attribute is of a kind that the language
// has too.
func plainAttr(v any) bool {
	switch v := v.(type) {
	case nil, bool, int64, float64, string:
		return true
	case []any:
		return !slices.ContainsFunc(v, func(x any) bool { return !plainAttr(x) })
	}
	return false
}

// agree reports whether two values are the same setting: numbers by value, a
// number for a tuple of equal ones.
func agree(a, b any) bool {
	x, tupleA := a.([]any)
	y, tupleB := b.([]any)
	switch {
	case tupleA && tupleB:
		return slices.EqualFunc(x, y, agree)
	case tupleA:
		return len(x) > 0 && !slices.ContainsFunc(x, func(e any) bool { return !agree(e, b) })
	case tupleB:
		return agree(b, a)
	}
	f, isA := number(a)
	g, isB := number(b)
	return isA && isB && f == g || !isA && !isB && literal(a) == literal(b)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func paramNames(params []param) string {
	if len(params) == 0 {
		return "none"
	}
	list := make([]string, len(params))
	for i, p := range params {
		list[i] = p.name
		if !p.need {
			list[i] += "=" + literal(p.def)
		}
	}
	return strings.Join(list, ", ")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// wrong is the error of an argument of a wrong kind.
func (c *call) wrong(name, want string) error {
	return c.fail("%s: %s is %s, expected %s", c.what, name, literal(c.args[name]), want)
}

func (c *call) int(name string) (int, error) {
	v, ok := c.args[name].(int64)
	if !ok || v < -maxSize || v > maxSize {
		return 0, c.wrong(name, fmt.Sprintf("a whole number of -%d to %d", maxSize, maxSize))
	}
	return int(v), nil
}

// maxSize bounds whole numbers of arguments.
const maxSize = 1<<31 - 1

func (c *call) float(name string) (float64, error) {
	v, ok := number(c.args[name])
	if !ok {
		return 0, c.wrong(name, "a number")
	}
	return v, nil
}

func (c *call) bool(name string) (bool, error) {
	v, ok := c.args[name].(bool)
	if !ok {
		return false, c.wrong(name, "True or False")
	}
	return v, nil
}

func (c *call) str(name string) (string, error) {
	v, ok := c.args[name].(string)
	if !ok {
		return "", c.wrong(name, "a string")
	}
	return v, nil
}

// wholes returns a whole number or a tuple of them as a list.
func (c *call) wholes(name string) ([]int64, error) {
	switch v := c.args[name].(type) {
	case int64:
		if v >= -maxSize && v <= maxSize {
			return []int64{v}, nil
		}
	case []any:
		list := make([]int64, len(v))
		for i, x := range v {
			n, ok := x.(int64)
			if !ok || n < -maxSize || n > maxSize {
				return nil, c.wrong(name, "a tuple of whole numbers")
			}
			list[i] = n
		}
		return list, nil
	}
	return nil, c.wrong(name, "a whole number or a tuple of them")
}

// sizes is wholes for n axes, with one number standing for all, each at least least.
func (c *call) sizes(name string, n, least int) ([]int64, error) {
	list, err := c.wholes(name)
	if err != nil {
		return nil, err
	}
	if len(list) == 1 {
		list = slices.Repeat(list, n)
	}
	if len(list) != n || slices.Min(list) < int64(least) {
		return nil, c.wrong(name, fmt.Sprintf("a number or %d of them, at least %d", n, least))
	}
	return list, nil
}

// axis brings a dimension of v from -rank..rank-1 to 0..rank-1.
func (c *call) axis(v *value, dim int) (int, error) { return c.axisOf(dim, v.rank()) }

func (c *call) axisOf(dim, rank int) (int, error) {
	if dim < -rank || dim >= rank {
		return 0, c.fail("%s: dim %d of an input of %d dimensions, expected %d to %d", c.what, dim, rank, -rank, rank-1)
	}
	if dim < 0 {
		dim += rank
	}
	return dim, nil
}

// axes is axis for a whole number or a tuple.
func (c *call) axes(v *value, name string) ([]int, error) {
	list, err := c.wholes(name)
	if err != nil {
		return nil, err
	}
	out := make([]int, 0, len(list))
	for _, d := range list {
		a, err := c.axis(v, int(d))
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, a) {
			return nil, c.fail("%s: dimension %d is there twice in %s", c.what, d, literal(c.args[name]))
		}
		out = append(out, a)
	}
	return out, nil
}

// dim is the axis that an argument names.
func (c *call) dim(v *value, name string) (int, error) {
	d, err := c.int(name)
	if err != nil {
		return 0, err
	}
	return c.axis(v, d)
}
