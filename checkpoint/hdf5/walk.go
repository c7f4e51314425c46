package hdf5

import "strings"

// object is a group or a dataset.
type object struct {
	path       string
	at         int64 // file offset of its header
	children   []string
	attributes []Attribute
	group      bool
	data       *dataset // nil for a group, and for a named element type
}

// walk reads the tree of groups from the root's header on.
func (r *reader) walk(root uint64) error {
	r.f.objects = map[string]*object{}
	w := walker{reader: r, groups: map[uint64]string{}}
	return w.object("", root, 0)
}

// walker knows which groups were met: a group below itself has no end, and one
// that is met on many ways makes a small file a large tree.
type walker struct {
	*reader
	groups map[uint64]string
}

func (w *walker) object(path string, address uint64, depth int) error {
	w.path = path
	if depth > maxNesting {
		return w.fail(-1, "groups nest more than %d deep", maxNesting)
	}
	if len(path) > maxPath {
		return w.fail(-1, "its path has %d bytes, at most %d are read", len(path), maxPath)
	}
	if err := w.spend(-1, int64(len(path))+objectCost); err != nil {
		return err
	}
	if w.f.objects[path] != nil {
		return w.fail(-1, "two objects have this path")
	}
	messages, err := w.header(address)
	if err != nil {
		return err
	}
	o := &object{path: path, at: int64(address) + w.f.base}
	if o.attributes, err = w.attributes(messages); err != nil {
		return err
	}
	links, group, err := w.links(messages)
	if err != nil {
		return err
	}
	w.f.objects[path], o.group = o, group
	if !group {
		o.data, err = w.dataset(messages, o.attributes, o.at)
		if o.data != nil {
			w.f.datasets = append(w.f.datasets, path)
		}
		return err
	}
	if other, twice := w.groups[address]; twice {
		return w.fail(o.at, "it is the group %s once more; groups with two names may contain themselves and are not read", short("/"+other))
	}
	w.groups[address] = path
	for _, l := range links {
		child := l.name
		if path != "" {
			child = path + "/" + l.name
		}
		if l.name == "" || strings.Contains(l.name, "/") || l.name == "." {
			w.path = path
			return w.fail(o.at, "a member is called %s, which no path can name", short(l.name))
		}
		if l.soft {
			if err := w.spend(-1, int64(len(child))+objectCost); err != nil {
				return err
			}
			w.f.skipped = append(w.f.skipped, child)
			continue
		}
		o.children = append(o.children, l.name)
		if err := w.object(child, l.address, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// attributes reads an object's attributes.
func (r *reader) attributes(messages []message) ([]Attribute, error) {
	var found []Attribute
	for _, m := range messages {
		var err error
		switch m.kind {
		case msgAttribute:
			if m, err = r.shared(m); err != nil {
				return nil, err
			}
			var a Attribute
			a, err = r.attribute(m.cursor)
			found = append(found, a)
		case msgAttributes:
			found, err = r.denseAttributes(m.cursor, found)
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
