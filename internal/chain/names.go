package chain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
)

// module is what a file has under one name: the tensors of a prefix, and the
// saved module where it has modules.
type module struct {
	label  string // the prefix without its last dot or slash
	leaves map[string]checkpoint.Info
	tree   *torchfile.Module
}

// has reports whether the module has a tensor of that name.
func (m *module) has(leaf string) bool { _, ok := m.leaves[leaf]; return ok }

// shape returns the shape of a tensor, nil if it is not there.
func (m *module) shape(leaf string) []int { return m.leaves[leaf].Shape }

// attr returns a setting that the file has.
func (m *module) attr(name string) (any, bool) {
	if m.tree == nil {
		return nil, false
	}
	return m.tree.Attr(name)
}

// names are the modules of a source by label.
type names struct {
	order  []string
	all    map[string]*module
	prefix string // before the names of the line
}

// newNames groups a source's tensors by what stands before their last dot or
// slash, and adds the saved modules, those without tensors too.
func newNames(src checkpoint.Source, trees []*torchfile.Module) *names {
	n := &names{all: map[string]*module{}}
	n.trees(trees)
	for _, name := range src.Names() {
		info, ok := src.Info(name)
		if !ok {
			continue
		}
		i := strings.LastIndexAny(name, "./")
		m := n.at(name[:max(i, 0)])
		info.Name = name
		m.leaves[name[i+1:]] = info
	}
	return n
}

func (n *names) at(label string) *module {
	m := n.all[label]
	if m == nil {
		m = &module{label: label, leaves: map[string]checkpoint.Info{}}
		n.all[label] = m
		n.order = append(n.order, label)
	}
	return m
}

func (n *names) trees(list []*torchfile.Module) {
	for _, t := range list {
		n.at(t.Path).tree = t
		n.trees(t.Modules)
	}
}

// find returns the module of a name in the line.
func (n *names) find(name string) *module {
	m := n.all[n.prefix+name]
	if m == nil && name == "" {
		m = n.all[strings.TrimRight(n.prefix, "./")]
	}
	return m
}

// tensor returns the module whose tensor a name of the line is, and which of its
// tensors, nil for none.
func (n *names) tensor(name string) (m *module, leaf string) {
	full := n.prefix + name
	i := strings.LastIndexAny(full, "./")
	if m = n.all[full[:max(i, 0)]]; m == nil || name == "" || !m.has(full[i+1:]) {
		return nil, ""
	}
	return m, full[i+1:]
}

// choose finds what stands before all names of the line: nothing, or one prefix
// that has the most of them. said is a caller's prefix, with or without its last
// separator.
func (n *names) choose(c *Chain, said string) error {
	wanted := c.moduleNames()
	if said != "" {
		return n.said(said, wanted)
	}
	count := map[string]int{"": 0}
	for _, label := range n.order {
		for i := len(label); i >= 0; i-- {
			if i > 0 && label[i-1] != '.' && label[i-1] != '/' {
				continue
			}
			if len(label)-i > maxName { // no name of a line is as long
				break
			}
			if k := wanted[label[i:]]; k > 0 {
				count[label[:i]] += k
			}
		}
	}
	best := []string{""}
	for p, k := range count {
		switch most := count[best[0]]; {
		case k > most:
			best = []string{p}
		case k == most && !slices.Contains(best, p):
			best = append(best, p)
		}
	}
	if len(best) > 1 && slices.Contains(best, "") {
		best = []string{""}
	}
	if len(best) > 1 {
		slices.Sort(best)
		return fmt.Errorf("%w: the names of the line are there under %s; choose one by its prefix (--prefix)", ErrAmbiguous, listed(trimmed(best)))
	}
	n.prefix = best[0]
	return nil
}

func (n *names) said(said string, wanted map[string]int) error {
	base := strings.TrimRight(said, "./")
	for _, p := range []string{base + ".", base + "/"} {
		for name := range wanted {
			if n.all[p+name] != nil || name == "" && n.all[base] != nil {
				n.prefix = p
				return nil
			}
		}
	}
	return fmt.Errorf("%w: none of the names of the line is there under the prefix %q; modules are %s", ErrName, said, listed(n.order))
}

func trimmed(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.TrimRight(s, "./")
	}
	return out
}

// moduleNames are the names of the line that could be modules, with how much each
// says of the prefix: those that are functions' names too, little.
func (c *Chain) moduleNames() map[string]int {
	out := map[string]int{}
	for _, p := range slices.Concat(c.pipes, c.results) {
		for _, s := range p.steps {
			switch {
			case s.quoted:
				out[s.name] = maxSteps
			case s.name == "" || special[s.name] || inputNumber(s.name) >= 0:
			case functionOf(s.name) != nil:
				out[s.name] = max(out[s.name], 1)
			default:
				out[s.name] = maxSteps
			}
		}
	}
	for _, p := range c.pipes {
		delete(out, p.name)
	}
	return out
}

// unknown is the error of a name that nothing has.
func (n *names) unknown(name string) (reason string) {
	var mods []string
	for _, label := range n.order {
		if rest, ok := strings.CutPrefix(label, n.prefix); ok && rest != "" {
			mods = append(mods, rest)
		}
	}
	var inside []string
	for _, m := range mods {
		if strings.HasPrefix(m, name+".") {
			inside = append(inside, m)
		}
	}
	if len(inside) > 0 {
		return fmt.Sprintf("%q holds the modules %s and is none itself; name them in the order in which they run, with the functions between", name, listed(inside))
	}
	reason = fmt.Sprintf("%q is neither a module of the file, a function, nor a value named before", name)
	if near := nearest(name, slices.Concat(mods, functionNames(), sortedKeys(special))); near != "" {
		reason += fmt.Sprintf("; did you mean %s?", near)
	}
	if len(mods) == 0 {
		return reason + "; the file has no modules"
	}
	return reason + "; modules are " + listed(mods)
}

// listed joins names, at most 24 of them.
func listed(list []string) string {
	const most = 24
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, ", ")
}

// nearest returns the candidate that differs least, by at most a third of its
// letters; empty if there is none.
func nearest(name string, candidates []string) string {
	if len(name) > 64 {
		return ""
	}
	best, least := "", 1+max(1, len(name)/3)
	for _, c := range candidates {
		if len(c) > 64 {
			continue
		}
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d++
			}
			diagonal = row[j+1]
			row[j+1] = min(d, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
