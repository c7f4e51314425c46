package live

import "sync"

// keyed is a lock for each key that is in use.
type keyed struct {
	mu  sync.Mutex
	all map[string]*keyLock
}

type keyLock struct {
	mu    sync.Mutex
	users int
}

// lock waits until nobody else has the key and returns the unlocking.
func (k *keyed) lock(key string) func() {
	k.mu.Lock()
	h := k.all[key]
	if h == nil {
		if k.all == nil {
			k.all = map[string]*keyLock{}
		}
		h = &keyLock{}
		k.all[key] = h
	}
	h.users++
	k.mu.Unlock()
	h.mu.Lock()
	return func() {
		h.mu.Unlock()
		k.mu.Lock()
		defer k.mu.Unlock()
		if h.users--; h.users == 0 {
			delete(k.all, key)
		}
	}
}
