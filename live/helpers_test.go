package live

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
)

// inHex is the bits of numbers, a space before each.
func inHex(v []float32) string {
	var b strings.Builder
	for _, x := range v {
		fmt.Fprintf(&b, " %08x", math.Float32bits(x))
	}
	return b.String()
}

// memoryStore is a Store that counts its calls.
type memoryStore struct {
	mu                   sync.Mutex
	all                  map[string][]byte
	busy                 map[string]bool
	loads, saves, clears int
	fail                 error // of Save
	wait                 chan struct{}
}

// about is held by a call about a key.
func (m *memoryStore) about(key string) func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all, m.busy = map[string][]byte{}, map[string]bool{}
	}
	if m.busy[key] {
		panic("two calls about " + key)
	}
	m.busy[key] = true
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.busy, key)
	}
}

func (m *memoryStore) Load(ctx context.Context, key string) ([]byte, error) {
	defer m.about(key)()
	if m.wait != nil {
		select {
		case <-m.wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loads++
	b, ok := m.all[key]
	if !ok {
		return nil, ErrUnknown
	}
	return b, nil
}

func (m *memoryStore) Save(_ context.Context, key string, b []byte) error {
	defer m.about(key)()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.saves++
	m.all[key] = b
	return nil
}

func (m *memoryStore) Delete(_ context.Context, key string) error {
	defer m.about(key)()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clears++
	delete(m.all, key)
	return nil
}

func (m *memoryStore) Keys(context.Context) iter.Seq2[string, error] {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := slices.Collect(maps.Keys(m.all))
	return func(yield func(string, error) bool) {
		for _, k := range keys {
			if !yield(k, nil) {
				return
			}
		}
	}
}
