package task

import (
	"crypto/sha256"
	"fmt"
)

// key tells an item with its label from others, in 32 bytes however long it is.
func key(format string, parts ...any) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, format, parts...) // a hash takes all
	return string(h.Sum(nil))
}

// repeated says, in a sentence, how many items of the parts that are measured stand in
// the training part too, with the same label: a model answers those from memory, and
// the measure tells less of what it makes of others. keys are all items with their
// labels; name is what one is called.
func repeated(name string, keys []string, training, valid, test []int) []string {
	there := map[string]bool{}
	for _, i := range training {
		there[keys[i]] = true
	}
	count := func(part []int) (n int) {
		for _, i := range part {
			if there[keys[i]] {
				n++
			}
		}
		return n
	}
	v, e := count(valid), count(test)
	if v+e == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d of %d %ss for test and %d of %d for validation stand in the training part too, with the same label: what is measured says less about new ones; leave each in the data once", e, len(test), name, v, len(valid))}
}
