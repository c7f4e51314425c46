package graph

import (
	"cmp"
	"fmt"
	"slices"
)

// What scikit-learn's pipelines become (domain ai.onnx.ml), where they go with numbers:
// before a network or behind it. Texts are not run.

const classicDomain = "ai.onnx.ml"

func classicRows() []row {
	classic := func(op string, least, most int, attrs []string, f func(*call, *expander) error) row {
		return row{domain: classicDomain, op: op, min: least, max: most, attrs: attrs, plan: expanded(f)}
	}
	post := []string{"post_transform"}
	return []row{
		classic("Scaler", 1, 1, []string{"offset", "scale"}, func(c *call, e *expander) error {
			return e.give(e.op("Mul", nil, e.op("Sub", nil, e.short(c.in[0]), e.floats(c, "offset")), e.floats(c, "scale")))
		}),
		classic("Normalizer", 1, 1, []string{"norm"}, planNormalizer),
		classic("Imputer", 1, 1, []string{"imputed_value_floats", "imputed_value_int64s", "replaced_value_float", "replaced_value_int64"}, planImputer),
		classic("Binarizer", 1, 1, []string{"threshold"}, func(c *call, e *expander) error {
			above := e.op("Greater", nil, c.in[0], e.number(c.typ(0), float64(c.floatAttr("threshold", 0))))
			return e.give(e.op("CastLike", nil, above, c.in[0]))
		}),
		classic("ArrayFeatureExtractor", 2, 2, nil, func(c *call, e *expander) error {
			x := c.in[0]
			if len(x.shape) == 1 {
				x = e.reshape(x, 1, x.n)
			}
			return e.give(e.op("Gather", Attrs{"axis": int64(-1)}, x, e.reshape(c.in[1], c.in[1].n)))
		}),
		classic("FeatureVectorizer", 1, -1, []string{"inputdimensions"}, planFeatureVectorizer),
		classic("LabelEncoder", 1, 1, []string{"keys_int64s", "keys_floats", "values_int64s", "values_floats", "default_int64", "default_float", "keys_tensor", "values_tensor", "default_tensor"}, planLabelEncoder),
		classic("OneHotEncoder", 1, 1, []string{"cats_int64s", "zeros"}, planOneHotEncoder),
		classic("LinearRegressor", 1, 1, append([]string{"coefficients", "intercepts", "targets"}, post...), func(c *call, e *expander) error {
			y, err := c.linear(e, int(c.intAttr("targets", 1)))
			if err != nil {
				return err
			}
			return e.give(c.transformed(e, y))
		}),
		classic("LinearClassifier", 1, 1, append([]string{"classlabels_ints", "coefficients", "intercepts", "multi_class"}, post...), planLinearClassifier),
		// A list of a map for each row, from the classes to their probabilities, is given
		// as the numbers: [rows, classes], classes in the order of the attribute.
		classic("ZipMap", 1, 1, []string{"classlabels_int64s", "classlabels_strings"}, func(c *call, e *expander) error { return e.give(c.in[0]) }),
	}
}

// short makes an operand float32, which these operators give.
func (e *expander) short(o *operand) *operand {
	if e.err != nil || o.typ == F32 {
		return o
	}
	return e.op("Cast", Attrs{"to": int64(1)}, o)
}

// floats is an attribute as a vector.
func (e *expander) floats(c *call, name string) *operand {
	list, _ := attr[[]float32](c, name)
	if len(list) == 0 && e.err == nil && c.err == nil {
		e.err = c.fail("attribute %q is missing", name)
	}
	return e.value(Vector(list...))
}

func planNormalizer(c *call, e *expander) error {
	x := e.short(c.in[0])
	var size *operand
	switch norm := c.strAttr("norm", "MAX"); norm {
	case "MAX":
		size = e.op("ReduceMax", nil, x, e.ints(-1))
	case "L1":
		size = e.op("ReduceL1", nil, x, e.ints(-1))
	case "L2":
		size = e.op("ReduceL2", nil, x, e.ints(-1))
	default:
		return c.unsupported("norm %q", norm)
	}
	none := e.op("Equal", nil, size, e.number(F32, 0))
	return e.give(e.op("Div", nil, x, e.op("Where", nil, none, e.number(F32, 1), size)))
}

func planImputer(c *call, e *expander) error {
	if list, ok := attr[[]int64](c, "imputed_value_int64s"); ok {
		missing := e.op("Equal", nil, c.in[0], e.value(Scalar(c.intAttr("replaced_value_int64", 0))))
		return e.give(e.op("Where", nil, missing, e.value(Vector(list...)), c.in[0]))
	}
	replaced := c.floatAttr("replaced_value_float", 0)
	missing := e.op("IsNaN", nil, c.in[0])
	if replaced == replaced {
		missing = e.op("Equal", nil, c.in[0], e.number(c.typ(0), float64(replaced)))
	}
	return e.give(e.op("Where", nil, missing, e.op("CastLike", nil, e.floats(c, "imputed_value_floats"), c.in[0]), c.in[0]))
}

// planFeatureVectorizer puts the columns of all inputs beside each other.
func planFeatureVectorizer(c *call, e *expander) error {
	var parts []*operand
	for i, o := range c.in {
		if o == nil || len(o.shape) == 0 || len(o.shape) > 2 {
			return c.fail("input %d is no table", i)
		}
		if len(o.shape) == 1 {
			o = e.reshape(o, 1, o.n)
		}
		parts = append(parts, e.short(o))
	}
	return e.give(e.op("Concat", Attrs{"axis": int64(1)}, parts...))
}

// planLabelEncoder looks numbers up; those that are not there become the default.
func planLabelEncoder(c *call, e *expander) error {
	table := [2]Value{}
	for i, name := range []string{"keys", "values"} {
		if v, ok := attr[Value](c, name+"_tensor"); ok {
			table[i] = v
		} else if v, ok := attr[[]int64](c, name+"_int64s"); ok {
			table[i] = Vector(v...)
		} else if v, ok := attr[[]float32](c, name+"_floats"); ok {
			table[i] = Vector(v...)
		} else {
			return c.unsupported("of %s that are no numbers", name)
		}
	}
	keys, values := table[0], table[1]
	if keys.n != values.n || keys.Type != c.typ(0) {
		return c.fail("%d keys of %s and %d values for an input of %s", keys.n, keys.Type, values.n, c.typ(0))
	}
	missing, ok := attr[Value](c, "default_tensor")
	if !ok {
		missing = Scalar(c.floatAttr("default_float", 0))
		if values.Type == I64 {
			missing = Scalar(c.intAttr("default_int64", -1))
		}
	}
	at := e.lookup(c.in[0], &keys)
	y := e.op("Gather", nil, e.value(values), at[0])
	return e.give(e.op("Where", nil, at[1], y, e.op("Reshape", nil, e.value(missing), e.ints())))
}

// lookup returns which of the keys an element is, 0 where it is none, and whether it is
// one.
func (e *expander) lookup(x *operand, keys *Value) [2]*operand {
	if e.err != nil {
		return [2]*operand{}
	}
	if keys.n > 1<<16 || int64(keys.n)*int64(x.n) > 1<<30 {
		e.err = e.c.unsupported("of %d keys for %d numbers", keys.n, x.n)
		return [2]*operand{}
	}
	same := e.op("Equal", nil, e.op("Unsqueeze", nil, x, e.ints(int64(len(x.shape)))), e.value(*keys))
	which := e.op("Cast", Attrs{"to": int64(6)}, same)
	return [2]*operand{
		e.op("ArgMax", Attrs{"axis": int64(-1), "keepdims": int64(0)}, which),
		e.op("Cast", Attrs{"to": int64(9)}, e.op("ReduceMax", Attrs{"keepdims": int64(0)}, which, e.ints(-1))),
	}
}

func planOneHotEncoder(c *call, e *expander) error {
	cats, ok := attr[[]int64](c, "cats_int64s")
	if !ok {
		return c.unsupported("of categories that are no numbers")
	}
	x := c.in[0]
	if c.typ(0) != I64 {
		x = e.op("Cast", Attrs{"to": int64(7)}, x)
	}
	if e.err != nil {
		return e.err
	}
	same := e.op("Equal", nil, e.op("Unsqueeze", nil, x, e.ints(int64(len(x.shape)))), e.value(Vector(cats...)))
	if c.intAttr("zeros", 1) == 0 && e.err == nil {
		return c.unsupported("with zeros=0, which refuses what is no category")
	}
	return e.give(e.op("Cast", Attrs{"to": int64(1)}, same))
}

// linear multiplies rows with the coefficients of n outputs.
func (c *call) linear(e *expander, n int) (*operand, error) {
	x := e.short(c.in[0])
	if e.err != nil {
		return nil, e.err
	}
	if len(x.shape) == 1 {
		x = e.reshape(x, 1, x.n)
	}
	weights, _ := attr[[]float32](c, "coefficients")
	if n < 1 || len(x.shape) != 2 || n > len(weights) || len(weights) != n*x.shape[1] {
		return nil, c.fail("%d coefficients for %d outputs of rows %v", len(weights), n, c.shape(0))
	}
	y := e.op("MatMul", nil, x, e.transpose(e.value(must(Of(weights, n, x.shape[1]))), 1, 0))
	if bias, ok := attr[[]float32](c, "intercepts"); ok && len(bias) > 0 {
		if len(bias) != n {
			return nil, c.fail("%d intercepts for %d outputs", len(bias), n)
		}
		y = e.op("Add", nil, y, e.value(Vector(bias...)))
	}
	return y, e.err
}

// transformed applies the function that the attribute names.
func (c *call) transformed(e *expander, y *operand) *operand {
	switch how := c.strAttr("post_transform", "NONE"); how {
	case "NONE":
	case "LOGISTIC":
		return e.op("Sigmoid", nil, y)
	case "SOFTMAX":
		return e.op("Softmax", Attrs{"axis": int64(-1)}, y)
	default:
		if e.err == nil {
			e.err = c.unsupported("post_transform %q", how)
		}
	}
	return y
}

// planLinearClassifier: of two classes one line of coefficients may be enough; then the
// first has the rest.
func planLinearClassifier(c *call, e *expander) error {
	labels, ok := attr[[]int64](c, "classlabels_ints")
	if !ok || len(labels) == 0 {
		return c.unsupported("of classes that are no integers")
	}
	weights, _ := attr[[]float32](c, "coefficients")
	bias, _ := attr[[]float32](c, "intercepts")
	n := cmp.Or(len(bias), len(labels))
	y, err := c.linear(e, n)
	if err != nil {
		return err
	}
	how := c.strAttr("post_transform", "NONE")
	if n == 1 && len(labels) == 2 {
		positive := e.op("Greater", nil, y, e.number(F32, 0))
		second := c.transformed(e, y)
		var first *operand
		switch how {
		case "NONE", "LOGISTIC":
			first = e.op("Sub", nil, e.number(F32, 1), second)
		default:
			return c.unsupported("one line of coefficients for two classes with post_transform %q", how)
		}
		which := e.reshape(e.op("Cast", Attrs{"to": int64(7)}, positive), y.shape[0])
		return e.give(e.op("Gather", nil, e.value(Vector(labels...)), which), e.op("Concat", Attrs{"axis": int64(1)}, first, second))
	}
	if n != len(labels) {
		return &Error{Reason: fmt.Sprintf("%d lines of %d coefficients for %d classes", n, len(weights), len(labels)), Err: ErrGraph}
	}
	which := e.op("ArgMax", Attrs{"axis": int64(1), "keepdims": int64(0)}, y)
	return e.give(e.op("Gather", nil, e.value(Vector(slices.Clone(labels)...)), which), c.transformed(e, y))
}

// tables gives outputs of ZipMap their type.
func (g *Graph) tables() {
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if n.Op != "ZipMap" || n.Domain != classicDomain || len(n.Outputs) != 1 {
			continue
		}
		for k := range g.Outputs {
			if o := &g.Outputs[k]; o.Name == n.Outputs[0] && o.Type == None {
				o.Type = F32
			}
		}
	}
}
