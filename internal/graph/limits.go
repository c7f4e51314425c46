package graph

import "fmt"

// Limits bound what a program may take. A zero field is its default. All are
// compared before anything of that size is allocated or begun.
type Limits struct {
	// Memory is the most bytes that the values of one plan or run may take
	// together, without the program's own constants; 4 GiB.
	Memory int64
	// Work is the most that one run may compute: multiply-adds of products,
	// elements of everything else; 2^40.
	Work int64
	// FoldMemory and FoldWork are Memory and Work for what is computed before a
	// run, of constants and shapes: 64 MiB and four times what the constants that
	// are used and the inputs take, and 2^32.
	FoldMemory, FoldWork int64
	// Steps is the most nodes that one plan may have, with the bodies of loops
	// once for each time around; 2^20.
	Steps int64
	// Plans is how many plans, one for each set of input shapes, are kept; 16.
	Plans int
	// Workers is how many goroutines share a recurrent layer; 0 and 1 are none but
	// the caller's. The bits are the same for any number.
	Workers int
}

func (l Limits) orDefaults() Limits {
	for _, f := range []struct {
		field *int64
		value int64
	}{{&l.Memory, 4 << 30}, {&l.Work, 1 << 40}, {&l.FoldWork, 1 << 32}, {&l.Steps, 1 << 20}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	if l.Workers == 0 {
		l.Workers = 1
	}
	if l.Plans == 0 {
		l.Plans = 16
	}
	return l
}

func limitError(what string, got, limit int64, field string) error {
	return &Error{Reason: fmt.Sprintf("it takes %d %s, Limits.%s allows %d", got, what, field, limit), Err: ErrLimit}
}
