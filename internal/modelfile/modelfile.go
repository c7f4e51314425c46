// Package modelfile opens a file of weights, whatever its format, and makes of
// it what can be run: a recurrent layer, or a model with an embedding or a head
// around it. One table, Formats, tells the formats; everything else is the work
// of the packages below.
package modelfile

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
	"github.com/unroll-ml/unroll/internal/statedict"
	"github.com/unroll-ml/unroll/nn"
)

// Options say what a file does not.
type Options struct {
	statedict.Options
	// Prefix chooses one of several recurrent layers; see statedict.Choose.
	Prefix string
	// Keras: names and layout of the tensors are Keras's.
	Keras bool
	// Head says what a linear head reads, "all" steps or the "last" state; empty:
	// all, and a note says that this is assumed.
	Head string
}

// File is an open file of weights.
type File struct {
	Path   string
	Format Format
	Source checkpoint.Source
	// One of these is set beside Source where the format has more to tell.
	ONNX   *onnx.File
	Torch  *torchfile.File
	Keras  *keras.Model
	Folder *nn.Folder
	// Model is the configuration of a model folder.
	Model *nn.Config
	// Meta are the file's own key and value pairs.
	Meta map[string]string

	closer io.Closer
}

// Open opens a file or a folder: a model folder, one with an index of shards, or one
// with weights beside the config.json of another program.
// Its errors name the file. One shard of several is an ErrShard.
func Open(path string) (*File, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if index := indexIn(path); index != "" {
			return openFile(index, nil)
		}
		program, err := programIn(path)
		if err != nil {
			return nil, err
		}
		if program != "" {
			return openFile(program, []Format{ONNX, Safetensors})
		}
		if weights := weightsIn(path); weights != "" {
			return openFile(weights, []Format{Safetensors, Torch})
		}
		return openFolder(path)
	}
	if err := alone(path); err != nil {
		return nil, err
	}
	return openFile(path, nil)
}

// openFile opens a file that the table of formats knows, of one of the formats
// named, if any are.
func openFile(path string, only []Format) (*File, error) {
	in, err := checkpoint.OpenInput(path)
	if err != nil {
		return nil, err
	}
	r, err := detect(path, in)
	if err != nil {
		_ = in.Close() // it was only read
		return nil, err
	}
	if only != nil && !slices.Contains(only, r.Format) {
		_ = in.Close() // it was only read
		return nil, &checkpoint.Error{File: path, Reason: fmt.Sprintf("this is %s, expected %v", r.What, only)}
	}
	f := &File{Path: path, Format: r.Format}
	if err := r.open(f, in); err != nil {
		_ = f.Close()
		_ = in.Close()
		return nil, err
	}
	if f.closer == nil {
		f.closer = in
		return f, nil
	}
	return f, in.Close() // what is open besides does not need it
}

func openFolder(path string) (*File, error) {
	d, err := nn.OpenFolder(path)
	if err != nil {
		return nil, err
	}
	return &File{Path: path, Format: Folder, Folder: d, Model: &d.Config, Source: d.Weights, Meta: d.Weights.Metadata(), closer: d}, nil
}

// Close closes what Open opened.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// Notes that a command has more to say to, or nothing.
const (
	NoteKeras   = "Keras's weights alone do not tell activations, go_backwards and merge_mode: tanh and sigmoid, forwards, and concat are assumed; the whole .keras or .h5 file tells them"
	NoteMode    = "the nonlinearity of an RNN is not in its weights: tanh is assumed"
	NoteProgram = "the file is a program: its parameters are read by name, its code is not run"
	NoteHead    = "whether the head reads every step or the last is not in its weights: every step is assumed"
)

// Loaded is what a file holds that can be run: a layer, or a model around one.
type Loaded struct {
	Layer *unroll.Layer // never nil
	Model *nn.Model     // nil for a lone layer
	// Part is where the layer was found in Source, a source of named tensors: the
	// file's, or Keras's under PyTorch's names. Both are empty for ONNX and folders.
	Part   statedict.Part
	Source checkpoint.Source
	// Left names tensors of the file that are no part of Layer or Model.
	Left []string
	// Notes say what was assumed.
	Notes []string
	// Ports are the names of the program's inputs and outputs that Recognise found it
	// in; nil for other files.
	Ports *Ports
	// Told reports whether the file says if batches are [B,T,I] or [T,B,I], as
	// Layer's BatchFirst then has it; weights alone do not.
	Told bool
	// Rounded says which numbers lost digits to float32; empty: none.
	Rounded string
}

// Load makes the layer or model of a file.
func (f *File) Load(opt Options) (*Loaded, error) {
	switch {
	case f.Format == Folder:
		m, err := nn.Load(f.Folder)
		if err != nil {
			return nil, err
		}
		return &Loaded{Layer: m.RNN(), Model: m, Told: true}, nil
	case f.ONNX != nil:
		return f.fromONNX()
	}
	if f.Keras != nil && !opt.Keras {
		return nil, fmt.Errorf("%w: %s is Keras's own: package model runs it whole; --convention keras takes its recurrent layer alone", ErrVariant, f.Path)
	}
	src, parts, err := f.parts(opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	part, err := statedict.Choose(parts, opt.Prefix)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	l := &Loaded{Part: part, Source: src}
	used := map[string]bool{}
	if err := l.read(src, used, opt.Head); err != nil {
		return nil, err
	}
	if m := f.modules()[part.Label()]; m != nil {
		_, l.Told = attr[bool](m, "batch_first")
	}
	wide := 0
	for _, name := range part.Params {
		used[name] = true
		if i, _ := src.Info(name); i.DType == checkpoint.F64 {
			wide++
		}
	}
	if wide > 0 {
		l.Rounded = fmt.Sprintf("%d tensors are float64 in the file and were rounded to float32", wide)
	}
	for _, name := range src.Names() {
		if !used[name] {
			l.Left = append(l.Left, name)
		}
	}
	if opt.Keras {
		l.Notes = append(l.Notes, NoteKeras)
	}
	if opt.Keras && part.Config.Mode == unroll.GRU && part.Config.NoBias && !part.Config.Variant.ResetBefore {
		l.Notes = append(l.Notes, "a GRU without biases does not tell reset_after: True, Keras's default, is assumed")
	}
	if folded, ok := src.(*statedict.Folded); ok {
		l.Notes = append(l.Notes, folded.Notes...)
	}
	if f.Torch != nil && f.Torch.Program() {
		l.Notes = append(l.Notes, NoteProgram)
	}
	if part.ModeGuessed {
		l.Notes = append(l.Notes, NoteMode)
	}
	return l, nil
}

// Parts lists the recurrent layers among the file's tensors, with what a
// pickled module says of its own.
func (f *File) Parts(opt Options) ([]statedict.Part, error) {
	_, parts, err := f.parts(opt)
	return parts, err
}

// parts is Parts with the source that the parts' names are in.
func (f *File) parts(opt Options) (checkpoint.Source, []statedict.Part, error) {
	if !opt.Keras {
		folded := statedict.Fold(f.Source, f.settings())
		parts, err := f.find(folded, opt)
		return folded, parts, err
	}
	k, err := keras.New(f.Source)
	if err != nil {
		return nil, nil, err
	}
	parts, err := f.find(k, opt)
	for i, p := range parts {
		if p.Err == nil && k.ResetBefore(p.Prefix) {
			parts[i].Config.Variant.ResetBefore = true
		}
	}
	return k, parts, err
}

func (f *File) find(src checkpoint.Source, opt Options) ([]statedict.Part, error) {
	parts, err := statedict.Find(src, opt.Options)
	if err != nil || f.Torch == nil {
		return parts, err
	}
	modules := f.modules()
	for i := range parts {
		p := &parts[i]
		m := modules[p.Label()]
		if m == nil {
			continue
		}
		if mode, ok := attr[string](m, "mode"); ok && p.ModeGuessed {
			if mode, err := unroll.ParseMode(mode); err == nil && statedict.Gates(mode) == 1 {
				p.Config.Mode, p.ModeGuessed = mode, false
			}
		}
		if b, ok := attr[bool](m, "batch_first"); ok && b {
			p.Config.BatchFirst = true
		}
		if d, ok := attr[float64](m, "dropout"); ok && d >= 0 && d <= 1 {
			p.Config.Dropout = d
		}
	}
	return parts, nil
}

// modules are the modules of a PyTorch file by their path.
func (f *File) modules() map[string]*torchfile.Module {
	modules := map[string]*torchfile.Module{}
	if f.Torch == nil {
		return modules
	}
	for all := slices.Clone(f.Torch.Modules()); len(all) > 0; {
		m := all[len(all)-1]
		modules[m.Path], all = m, append(all[:len(all)-1], m.Modules...)
	}
	return modules
}

// settings tells Fold what a pickled module says of itself.
func (f *File) settings() statedict.Settings {
	modules := f.modules()
	return func(path, name string) (any, bool) {
		if m := modules[path]; m != nil {
			return m.Attr(name)
		}
		return nil, false
	}
}

// attr is a plain attribute of a pickled module.
func attr[T any](m *torchfile.Module, name string) (T, bool) {
	v, _ := m.Attr(name)
	x, ok := v.(T)
	return x, ok
}
