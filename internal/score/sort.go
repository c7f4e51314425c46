package score

import (
	"fmt"
	"io"
	"slices"
)

// held are rows in memory.
type held struct {
	Source
	rows []Row
	next int
}

// sorted reads all rows, of in numbers each, and sorts them: series in the order in
// which they first come, each by its times, equal ones as they come.
func sorted(src Source, in int, memory int64) (Source, error) {
	h := &held{Source: src}
	first := map[string]int{}
	var bytes int64
	for {
		r := Row{X: make([]float32, in)}
		err := src.Next(&r)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		const overhead = 200
		if bytes += int64(4*in + len(r.Key) + len(r.At) + overhead); bytes > memory {
			return nil, fmt.Errorf("%s: %d rows take more than %d bytes to be sorted: sort the file by other means", src.Where(r.Place), len(h.rows)+1, memory)
		}
		if _, ok := first[r.Key]; !ok {
			first[r.Key] = len(first)
		}
		h.rows = append(h.rows, r)
	}
	var bad error
	slices.SortStableFunc(h.rows, func(a, b Row) int {
		if order := first[a.Key] - first[b.Key]; order != 0 {
			return order
		}
		order, err := a.Time.Compare(b.Time)
		if err != nil && bad == nil {
			bad = fmt.Errorf("%s: %w", src.Where(b.Place), err)
		}
		return order
	})
	return h, bad
}

// Next is the next row in order.
func (h *held) Next(r *Row) error {
	if h.next == len(h.rows) {
		return io.EOF
	}
	from := &h.rows[h.next]
	h.next++
	copy(r.X, from.X)
	r.Key, r.Time, r.At, r.Place = from.Key, from.Time, from.At, from.Place
	return nil
}
