package torchfile

import "strings"

// Strip returns a tensor's name without what wrappers put into it:
// "module." in front (DataParallel and DistributedDataParallel) and
// "_orig_mod." anywhere (torch.compile, which can wrap a part). What stands
// before the last "/" stays, so that
//
//	model_state_dict/module._orig_mod.rnn.weight_ih_l0
//
// becomes model_state_dict/rnn.weight_ih_l0. A model can have a part of its own
// called module; whoever uses Strip checks that names stay unique.
func Strip(name string) string {
	at := strings.LastIndexByte(name, '/') + 1
	parts := strings.Split(name[at:], ".")
	kept := parts[:0]
	for i, p := range parts {
		last := i == len(parts)-1
		if !last && (p == "_orig_mod" || p == "module" && len(kept) == 0) {
			continue
		}
		kept = append(kept, p)
	}
	return name[:at] + strings.Join(kept, ".")
}
