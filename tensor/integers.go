package tensor

import "fmt"

// Integer is the set of elements that are no floating-point numbers.
type Integer interface {
	int64 | int32 | int8 | uint8 | bool
}

// FormatIntegers returns integers or truth values of a shape as PyTorch prints
// them; types but int64 and bool are named after the numbers. Data that do not
// belong to the shape are told as String tells them.
func FormatIntegers[T Integer](data []T, shape []int) string {
	const prefix = "tensor("
	if n, err := Size(shape); err != nil || n != len(data) {
		return fmt.Sprintf("tensor(<%d elements do not make the shape %v>)", len(data), shape)
	}
	p := printer[float64]{short: len(data) > threshold, width: 1}
	p.out = append(p.out, prefix...)
	var notes []string
	var zero T
	note := fmt.Sprintf("dtype=torch.%T", zero)
	switch any(zero).(type) {
	case int64, bool:
		note = ""
	}
	if len(data) == 0 {
		p.out = append(p.out, "[]"...)
		if len(shape) != 1 {
			notes = append(notes, "size="+tuple(shape))
		}
		note = fmt.Sprintf("dtype=torch.%T", zero)
	} else {
		p.indices(len(data), shape, len(prefix), func(i int) string {
			if b, ok := any(data[i]).(bool); ok {
				return map[bool]string{false: "False", true: "True"}[b]
			}
			return fmt.Sprint(data[i])
		})
	}
	if note != "" {
		notes = append(notes, note)
	}
	return p.finish(len(prefix), notes)
}

// indices prints n elements by their text; all have the width of the widest that
// is shown.
func (p *printer[F]) indices(n int, shape []int, indent int, text func(i int) string) {
	index := make([]F, n)
	for i := range index {
		index[i] = F(i)
	}
	p.text = text
	p.visit(index, shape, func(v float64) { p.width = max(p.width, len(text(int(v)))) })
	p.block(index, shape, indent)
}
