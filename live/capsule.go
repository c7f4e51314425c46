package live

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/tensor"
)

// capsuleFormat is the entry "format" of a capsule's metadata.
const capsuleFormat = "unroll capsule 1"

// maxMeta bounds what a capsule has beside its numbers, in bytes.
const maxMeta = 1 << 16

// Capsule returns the state of a sequence as a safetensors file: the tensors of
// Target.State, the last output where the state does not have it, and in the
// metadata what it is: format "unroll capsule 1", signature, digest, steps, engine
// and a checksum. It may be taken to another pool, machine or language. Errors:
// ErrUnknown, also for a sequence that is not in the pool but in Options.Store,
// and ErrMarked.
func (p *Pool) Capsule(key string) ([]byte, error) {
	s := p.shard(key)
	from, v, err := s.copy(key, false)
	if err != nil {
		return nil, err
	}
	if from.mark != "" {
		return nil, (&sequence{key: key, mark: from.mark}).marked()
	}
	return v.capsule(from)
}

// Restore begins a sequence from a capsule; its steps are counted on. It is an
// ErrCapsule if the bytes are not a whole capsule, the shapes are others or a
// number is not finite; an ErrForeign if the capsule is of other parameters (see
// Options.Foreign); and ErrExists, ErrFull, ErrClosed as Open. After an error there
// is no new sequence.
func (p *Pool) Restore(key string, capsule []byte) error {
	if p.opt.Store != nil {
		defer p.keys.lock(key)()
	}
	s := p.shard(key)
	from, err := s.now().read(key, capsule, p.opt.Foreign)
	if err == nil && from.mark != "" {
		err = &Error{Kind: ErrCapsule, Key: key, Reason: "it is of a marked sequence and has no state: " + from.mark}
	}
	if err == nil {
		from.dirty = true
		err = s.open(key, from, false)
	}
	return p.told(err)
}

// now returns the version that the shard steps.
func (s *shard) now() *version {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

// copy returns a copy of a sequence between two rounds. save notes that the store
// will have it.
func (s *shard) copy(key string, save bool) (saved, *version, error) {
	s.work.Lock()
	defer s.work.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.all[key]
	if q == nil {
		return saved{}, nil, s.unknown(key)
	}
	from := saved{state: slices.Clone(q.state), steps: q.steps, mark: q.mark, dirty: q.dirty}
	if save {
		q.dirty = false
	}
	return from, s.version, nil
}

// engine is the version of this module in the program.
var engine = sync.OnceValue(func() string {
	const path = "github.com/unroll-ml/unroll"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == path && m.Version != "" {
				return "unroll " + m.Version
			}
		}
	}
	return "unroll (devel)"
})

// capsule writes a sequence; without tensors if it is marked.
func (v *version) capsule(from saved) ([]byte, error) {
	meta := map[string]string{
		"format": capsuleFormat, "signature": v.signature, "digest": v.digest,
		"steps": strconv.FormatUint(from.steps, 10), "engine": engine(),
	}
	var set checkpoint.Set
	if from.mark != "" {
		meta["mark"] = from.mark
	} else {
		at := 0
		for _, t := range v.tensors {
			set = append(set, checkpoint.Of(t.Name, tensor.Dense{Shape: t.Shape, Data: from.state[at : at+t.Len()]}))
			at += t.Len()
		}
	}
	meta, err := checkpoint.WithChecksum(set, meta)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, set, meta); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// read reads a capsule that the version can go on with.
func (v *version) read(key string, capsule []byte, f Foreign) (from saved, err error) {
	bad := func(format string, a ...any) (saved, error) {
		return saved{}, &Error{Kind: ErrCapsule, Key: key, Reason: fmt.Sprintf(format, a...)}
	}
	if most := 4*v.size + maxMeta; len(capsule) > most {
		return bad("it has %d bytes, one of %.200q at most %d", len(capsule), v.signature, most)
	}
	file, err := safetensors.NewNamed(bytes.NewReader(capsule), int64(len(capsule)), "capsule")
	if err != nil {
		return bad("%v", err)
	}
	meta := file.Metadata()
	if meta["format"] != capsuleFormat {
		return bad("the format in its metadata is %.80q, expected %q", meta["format"], capsuleFormat)
	}
	if _, err := checkpoint.VerifyChecksum(file, meta); err != nil {
		return bad("%v", err)
	}
	if !v.accepts(meta["signature"], meta["digest"], f) {
		return saved{}, v.foreign(key, meta["signature"], meta["digest"])
	}
	if from.steps, err = strconv.ParseUint(meta["steps"], 10, 63); err != nil {
		return bad("steps in its metadata is %.40q, expected a whole number", meta["steps"])
	}
	if from.mark = meta["mark"]; from.mark != "" {
		return from, nil
	}
	from.of = v
	if from.state, err = v.tensorsOf(file); err != nil {
		return bad("%v", err)
	}
	return from, nil
}

// tensorsOf reads the state in a file and checks names, shapes and numbers.
func (v *version) tensorsOf(file *safetensors.File) ([]float32, error) {
	if got := file.Names(); len(got) != len(v.tensors) {
		return nil, fmt.Errorf("it has %d tensors, expected %d", len(got), len(v.tensors))
	}
	state := make([]float32, 0, v.size)
	for _, t := range v.tensors {
		i, ok := file.Info(t.Name)
		if !ok || i.DType != checkpoint.F32 || !slices.Equal(i.Shape, t.Shape) {
			return nil, fmt.Errorf("the tensor %q is %s %v, expected float32 %v", t.Name, i.Type(), i.Shape, t.Shape)
		}
		d, err := safetensors.Read[float32](file, t.Name)
		if err != nil {
			return nil, err
		}
		if k := notFinite(d.Data); k >= 0 {
			return nil, fmt.Errorf("number %d of the tensor %q is %v", k, t.Name, d.Data[k])
		}
		state = append(state, d.Data...)
	}
	return state, nil
}

// notFinite returns where the first NaN or infinity is, or -1.
func notFinite(v []float32) int {
	for i, x := range v {
		if x-x != 0 {
			return i
		}
	}
	return -1
}
