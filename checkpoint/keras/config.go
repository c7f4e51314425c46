package keras

import (
	"encoding/json"
	"fmt"
)

// Config is a layer's settings as JSON has them: nil, bool, string,
// json.Number, []any, map[string]any. The methods return a setting as a type,
// the given default where it is absent or null, and an error that names the
// setting and what came where it is something else.
type Config map[string]any

// wrong is the error for a setting of another type.
func wrong(key string, v any, want string) error {
	b, err := json.Marshal(v)
	if err != nil || len(b) > 100 {
		b = fmt.Appendf(nil, "%T", v)
	}
	return fmt.Errorf("setting %s is %s, expected %s", key, b, want)
}

// Bool returns a setting that is true or false.
func (c Config) Bool(key string, missing bool) (bool, error) {
	switch v := c[key].(type) {
	case nil:
		return missing, nil
	case bool:
		return v, nil
	default:
		return false, wrong(key, v, "true or false")
	}
}

// Int returns a setting that is a whole number.
func (c Config) Int(key string, missing int) (int, error) {
	v := c[key]
	if v == nil {
		return missing, nil
	}
	if n, ok := integer(v); ok {
		return n, nil
	}
	return 0, wrong(key, v, "a whole number")
}

// integer reads a whole number of at most 31 bits; Keras writes some with a
// point.
func integer(v any) (int, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	if err != nil || f != float64(int32(f)) {
		return 0, false
	}
	return int(f), true
}

// Float returns a setting that is a number.
func (c Config) Float(key string, missing float64) (float64, error) {
	v := c[key]
	if v == nil {
		return missing, nil
	}
	if n, ok := v.(json.Number); ok {
		if f, err := n.Float64(); err == nil {
			return f, nil
		}
	}
	return 0, wrong(key, v, "a number")
}

// String returns a setting that is text.
func (c Config) String(key, missing string) (string, error) {
	switch v := c[key].(type) {
	case nil:
		return missing, nil
	case string:
		return v, nil
	default:
		return "", wrong(key, v, "text")
	}
}

// Ints returns a setting that is a list of whole numbers, or one of them, which
// becomes a list of one. A null within the list becomes -1, as in shapes.
func (c Config) Ints(key string) ([]int, error) {
	v := c[key]
	if v == nil {
		return nil, nil
	}
	if n, ok := integer(v); ok {
		return []int{n}, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, wrong(key, v, "a list of whole numbers")
	}
	out := make([]int, len(list))
	for i, x := range list {
		n, ok := integer(x)
		switch {
		case x == nil:
			n = -1
		case !ok:
			return nil, wrong(key, v, "a list of whole numbers")
		}
		out[i] = n
	}
	return out, nil
}

// Object returns a setting that is a dictionary; nil if it is absent.
func (c Config) Object(key string) (map[string]any, error) {
	switch v := c[key].(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	default:
		return nil, wrong(key, v, "a dictionary")
	}
}
