package torchfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// Files of PyTorch before 1.6 are pickles one after another: a magic number, a
// version, facts about the machine, the object, the list of storage keys; then
// for each key an int64 with its number of elements and the elements.

// magic is the number the first pickle holds.
var magic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

const legacyVersion = 1001

func (f *File) readLegacy() (any, int64, error) {
	l := &legacy{File: f, c: newCursor(f.r, 0, f.size), records: make(map[string]*record)}
	first, err := l.pickle("first pickle", nil)
	if err != nil {
		return nil, 0, err
	}
	if n, ok := first.(*big.Int); !ok || n.Cmp(magic) != 0 {
		return l.plain(first)
	}
	version, err := l.pickle("second pickle", nil)
	if err != nil {
		return nil, 0, err
	}
	if version != int64(legacyVersion) {
		return nil, 0, f.fail("second pickle", "it is not the version %d", legacyVersion)
	}
	facts, err := l.pickle("third pickle", nil)
	if err != nil {
		return nil, 0, err
	}
	if d, ok := facts.(*dict); !ok || d.get("little_endian") != true {
		return nil, 0, f.fail("third pickle", "it does not say that the file is little-endian; other files of the old format are not read")
	}
	start := l.c.at()
	root, err := l.pickle("fourth pickle", func(id any) (any, error) { return parseStorage(id, l.storage) })
	if err != nil {
		return nil, 0, err
	}
	size := l.c.at() - start
	keys, err := l.pickle("fifth pickle", nil)
	if err != nil {
		return nil, 0, err
	}
	return root, size, l.storages(keys)
}

type legacy struct {
	*File
	c       *cursor
	records map[string]*record
}

func (l *legacy) pickle(name string, persistent func(any) (any, error)) (any, error) {
	if persistent == nil {
		persistent = func(any) (any, error) { return nil, fmt.Errorf("a persistent id has no meaning here") }
	}
	m := &machine{c: l.c, file: l.name, size: l.size, place: name, persistent: persistent, inside: l.inside}
	v, err := m.run()
	l.held += m.held
	return v, err
}

// storage notes that the object needs a storage; where it is follows later.
func (l *legacy) storage(key string, numel int64, d dtype) (*record, error) {
	r := l.records[key]
	if r == nil {
		r = &record{key: key, r: l.r, size: numel * d.size, elem: d.size, file: !l.inner}
		l.records[key] = r
	}
	if r.size != numel*d.size || r.elem != d.size {
		return nil, fmt.Errorf("storage %.40q has %d elements of %d bytes here and %d of %d elsewhere", key, numel, d.size, r.size/r.elem, r.elem)
	}
	return r, nil
}

// storages walks over what follows the pickles. What stands behind the last
// storage is not looked at: several torch.save may write to one file, and
// torch.load reads the first.
func (l *legacy) storages(v any) error {
	keys, ok := v.(*list)
	if !ok {
		return l.fail("fifth pickle", "it is %s, expected the list of storages", kind(v))
	}
	at := l.c.at()
	found := make(map[string]bool, min(len(keys.items), len(l.records)))
	for i, k := range keys.items {
		key, ok := keyText(k, 0)
		r := l.records[key]
		if !ok || r == nil {
			return l.fail("fifth pickle", "storage %d, %.40q, is not one of the %d the object refers to", i, key, len(l.records))
		}
		if found[key] {
			return l.fail("fifth pickle", "storage %.40q is listed twice", key)
		}
		found[key] = true
		var head [8]byte
		if at > l.size-8 {
			return l.fail(fmt.Sprintf("byte %d", at), "the file is cut off: %d of %d storages are missing", len(keys.items)-i, len(keys.items))
		}
		if _, err := l.r.ReadAt(head[:], at); err != nil && !errors.Is(err, io.EOF) {
			return l.fail(fmt.Sprintf("byte %d", at), "reading failed: %v", err)
		}
		numel := binary.LittleEndian.Uint64(head[:])
		at += 8
		if r.size > l.size-at {
			return l.fail(fmt.Sprintf("byte %d", at), "the file is cut off: storage %.40q needs %d bytes, %d are left", key, r.size, l.size-at)
		}
		if numel != uint64(r.size/r.elem) {
			return l.fail(fmt.Sprintf("byte %d", at-8), "storage %.40q has %d elements here, the object says %d", key, numel, r.size/r.elem)
		}
		r.off = at
		at += r.size
	}
	if len(found) != len(l.records) {
		return l.fail("fifth pickle", "it lists %d storages, the object refers to %d", len(found), len(l.records))
	}
	return nil
}
