package checkpoint

// Indexed returns a Source over src that finds a name without going through all of
// them: a Set with an index, which holds while nobody changes the Set. Other sources
// are returned as they are.
func Indexed(src Source) Source {
	s, ok := src.(Set)
	if !ok {
		return src
	}
	x := indexed{Set: s, at: make(map[string]int, len(s))}
	for i, t := range s {
		if _, twice := x.at[t.Name]; !twice {
			x.at[t.Name] = i
		}
	}
	return x
}

type indexed struct {
	Set
	at map[string]int
}

// Info describes the first tensor of that name.
func (x indexed) Info(name string) (Info, bool) {
	i, ok := x.at[name]
	if !ok {
		return Info{}, false
	}
	return x.Set[i].Info, true
}

// Tensor returns the first tensor of that name, sharing its data.
func (x indexed) Tensor(name string) (Tensor, error) {
	i, ok := x.at[name]
	if !ok {
		return Tensor{}, Missing("", name)
	}
	return x.Set[i], nil
}
