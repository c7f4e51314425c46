package graph

import "slices"

// Sequences of values, which PyTorch's loops over lists become. They are there while
// a program is planned alone: a loop's rounds are steps of the plan, so what a
// sequence holds is known, and joining it is a step like any other.

func sequenceRows() []row {
	return []row{
		{op: "SequenceEmpty", attrs: []string{"dtype"}, plan: func(c *call) (kernel, error) { return nil, c.sequence(nil) }},
		{op: "SequenceConstruct", min: 1, max: -1, plan: func(c *call) (kernel, error) { return nil, c.sequence(c.in) }},
		{op: "SequenceInsert", min: 2, max: 3, plan: planSequenceInsert},
		{op: "SequenceErase", min: 1, max: 2, plan: planSequenceErase},
		{op: "SequenceAt", min: 2, max: 2, plan: planSequenceAt},
		{op: "SequenceLength", min: 1, max: 1, plan: planSequenceLength},
		{op: "Optional", since: 15, max: 1, attrs: []string{"type"}, plan: func(c *call) (kernel, error) {
			if !c.has(0) {
				return nil, c.become(0, &operand{none: true, list: &list{}, index: -1, shape: []int{}})
			}
			return nil, c.become(0, here(c.in[0]))
		}},
		{op: "OptionalHasElement", since: 15, max: 1, plan: func(c *call) (kernel, error) {
			return nil, c.value(0, Scalar(c.has(0) && !c.in[0].none), false)
		}},
		{op: "OptionalGetElement", since: 15, min: 1, max: 1, plan: func(c *call) (kernel, error) {
			if c.in[0].none {
				return nil, c.fail("the optional value is absent")
			}
			return nil, c.become(0, here(c.in[0]))
		}},
		{op: "ConcatFromSequence", min: 1, max: 1, attrs: []string{"axis", "new_axis"}, plan: expanded(planConcatFromSequence)},
		{op: "SplitToSequence", min: 1, max: 2, attrs: []string{"axis", "keepdims"}, plan: expanded(planSplitToSequence)},
	}
}

// list is what a sequence holds.
type list struct{ items []*operand }

// maxItems bounds the items of all sequences that one node makes.
const maxItems = 1 << 16

// sequence makes output 0 a sequence.
func (c *call) sequence(items []*operand) error {
	if len(items) > maxItems {
		return c.fail("a sequence of %d values; at most %d are run", len(items), maxItems)
	}
	for i, o := range items {
		if o == nil {
			return c.fail("input %d is absent", i)
		}
		if o.list != nil {
			return c.unsupported("a sequence of sequences")
		}
	}
	return c.become(0, &operand{list: &list{slices.Clone(items)}, index: -1, shape: []int{}})
}

// items returns what the sequence of input 0 holds.
func (c *call) items() ([]*operand, error) {
	if !c.has(0) || c.in[0].list == nil {
		return nil, c.fail("input 0 is no sequence")
	}
	return c.in[0].list.items, nil
}

// place reads a position, of most at most; the last where there is none.
func (c *call) place(i, most int) (int, error) {
	if !c.has(i) {
		return most, nil
	}
	list, err := c.needInts(i)
	if err != nil {
		return 0, err
	}
	if len(list) != 1 {
		return 0, c.fail("position %v, expected one number", list)
	}
	return within(list[0], most+1)
}

func planSequenceInsert(c *call) (kernel, error) {
	items, err := c.items()
	if err != nil {
		return nil, err
	}
	// From the end -1 is the last one's place.
	at := len(items)
	if c.has(2) {
		list, err := c.needInts(2)
		if err != nil {
			return nil, err
		}
		if len(list) != 1 || list[0] < -int64(len(items)) || list[0] > int64(len(items)) {
			return nil, c.fail("position %v in a sequence of %d", list, len(items))
		}
		if at = int(list[0]); at < 0 {
			at += len(items)
		}
	}
	return nil, c.sequence(slices.Insert(slices.Clone(items), at, c.in[1]))
}

func planSequenceErase(c *call) (kernel, error) {
	items, err := c.items()
	if err != nil {
		return nil, err
	}
	at, err := c.place(1, len(items)-1)
	if err != nil {
		return nil, c.fail("%v", err)
	}
	if at < 0 {
		return nil, c.fail("the sequence is empty")
	}
	return nil, c.sequence(slices.Delete(slices.Clone(items), at, at+1))
}

func planSequenceAt(c *call) (kernel, error) {
	items, err := c.items()
	if err != nil {
		return nil, err
	}
	list, err := c.needInts(1)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, c.fail("position %v, expected one number", list)
	}
	at, err := within(list[0], len(items))
	if err != nil {
		return nil, c.fail("%v", err)
	}
	return nil, c.become(0, here(items[at]))
}

func planSequenceLength(c *call) (kernel, error) {
	items, err := c.items()
	if err != nil {
		return nil, err
	}
	return nil, c.value(0, Scalar(int64(len(items))), false)
}

func planConcatFromSequence(c *call, e *expander) error {
	items, err := c.items()
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return c.fail("the sequence is empty")
	}
	items = slices.Clone(items)
	axis := c.intAttr("axis", 0)
	if c.intAttr("new_axis", 0) != 0 {
		for i, o := range items {
			at, err := c.axis(axis, len(o.shape)+1)
			if err != nil {
				return err
			}
			items[i] = e.op("Unsqueeze", nil, o, e.ints(int64(at)))
		}
	}
	return e.give(e.op("Concat", Attrs{"axis": axis}, items...))
}

func planSplitToSequence(c *call, e *expander) error {
	shape := c.shape(0)
	axis, err := c.axis(c.intAttr("axis", 0), len(shape))
	if err != nil {
		return err
	}
	sizes, alone, err := c.splitSizes(shape[axis])
	if err != nil {
		return err
	}
	if len(sizes) > maxItems {
		return c.fail("a sequence of %d values; at most %d are run", len(sizes), maxItems)
	}
	var items []*operand
	at := int64(0)
	for _, n := range sizes {
		o := e.op("Slice", nil, c.in[0], e.ints(at), e.ints(at+n), e.ints(int64(axis)))
		if at += n; alone && c.intAttr("keepdims", 1) == 0 {
			o = e.op("Squeeze", nil, o, e.ints(int64(axis)))
		}
		items = append(items, o)
	}
	if e.err != nil {
		return e.err
	}
	return c.sequence(items)
}

// splitSizes are those of the parts of n; alone: each of one, without an axis if
// keepdims says so.
func (c *call) splitSizes(n int) (sizes []int64, alone bool, err error) {
	if !c.has(1) {
		sizes = make([]int64, n)
		for i := range sizes {
			sizes[i] = 1
		}
		return sizes, true, nil
	}
	given, err := c.needInts(1)
	if err != nil {
		return nil, false, err
	}
	if len(c.shape(1)) == 1 {
		total := int64(0)
		for _, d := range given {
			if d < 0 || d > int64(n)-total {
				return nil, false, c.fail("sizes %v of %d", given, n)
			}
			total += d
		}
		if total != int64(n) {
			return nil, false, c.fail("sizes %v of %d", given, n)
		}
		return given, false, nil
	}
	if len(given) != 1 || given[0] < 1 {
		return nil, false, c.fail("parts of %v", given)
	}
	for at := int64(0); at < int64(n); at += given[0] {
		sizes = append(sizes, min(given[0], int64(n)-at))
	}
	return sizes, false, nil
}
