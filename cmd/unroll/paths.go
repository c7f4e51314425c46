package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/nn"
)

// use says what a command does with the path that an argument or flag holds.
type use int

const (
	useModel    use = iota // a model is read: a file, or a folder and what makes the model in it
	useInput               // a file is read, or a folder with all that is in it
	useNamed               // NAME=FILE, a file is read
	useServed              // MODEL or NAME=MODEL, which is useModel
	useStateIn             // a file is read that useStateOut of the same command may replace
	useOutput              // a file is replaced
	useAppend              // a file gets more lines
	useFolder              // a folder gets files under names of their own
	useStateOut            // a file is replaced, which may be the one of useStateIn
	useConvert             // a file or a model folder is replaced
	useTrain               // a model folder gets the files of a training
)

// places says of each command which arguments and flags hold paths, and what is
// done with those; texts are its other flags that take text. A written path that is
// the same file as one that is read is refused before anything is opened, and so is
// one inside a folder of data that is read, or one that is written twice. What a
// command goes on with (the checkpoint in the folder of --resume) is no input here:
// it is replaced as a whole.
var places = map[string]struct {
	args  []use
	flags map[string]use
	texts string
}{
	"run": {
		[]use{useModel, useInput},
		map[string]use{"input": useNamed, "output": useOutput, "states-in": useStateIn, "states-out": useStateOut},
		"chain columns convention decimal dtype group-by keep mode precision prefix separator set size sort-by",
	},
	"explain": {
		[]use{useModel, useInput},
		map[string]use{"html": useOutput, "input": useNamed},
		"as chain columns decimal mode prefix separator set text",
	},
	"serve": {
		[]use{useServed},
		map[string]use{"token-file": useInput, "tls-cert": useInput, "tls-key": useInput, "tls-client-ca": useInput, "snapshots": useFolder},
		"chain grpc keep listen log precision prefix set size",
	},
	"inspect": {args: []use{useModel}, texts: "chain convention prefix"},
	"convert": {[]use{useModel, useConvert}, map[string]use{"calibrate": useInput}, "chain convention head keep mode prefix to"},
	"bench":   {args: []use{useModel}, texts: "chain dtype keep mode precision prefix set size"},
	"version": {},

	"completion": {}, "bash": {}, "fish": {}, "powershell": {}, "zsh": {},
	"train": {
		[]use{useInput},
		map[string]use{"output": useTrain, "log": useAppend, "tensorboard": useFolder},
		"base columns decimal gaps label-column level loss mode optimizer schedule separator target task text-column time-column time-format",
	},
	"eval": {
		[]use{useModel, useInput},
		map[string]use{"case": useOutput},
		"base columns decimal gaps label-column level loss separator target text-column time-column time-format",
	},
	"predict": {
		[]use{useModel, useInput},
		map[string]use{"output": useOutput},
		"prompt",
	},
}

// stdoutKey is where the context of a command has the standard output itself,
// without the buffer before it.
type stdoutKey struct{}

// guardPaths has every command look at its paths before it runs.
func guardPaths(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			p := pathsOf(cmd, args)
			if err := p.check(); err != nil {
				return err
			}
			if err := p.there(); err != nil {
				return err
			}
			cmd.SetContext(context.WithValue(cmd.Context(), pathsKey{}, p))
			return run(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		guardPaths(sub)
	}
}

type pathsKey struct{}

// mayWrite refuses names that a command makes of a flag's value, such as
// y.h_n.npy beside y.npy, as the flag's value itself.
func mayWrite(cmd *cobra.Command, flag string, names ...string) error {
	p, ok := cmd.Context().Value(pathsKey{}).(*paths)
	if !ok {
		return nil
	}
	for _, name := range names {
		if err := p.mayWrite(place{"--" + flag, name, useOutput}); err != nil {
			return err
		}
	}
	return nil
}

// place is a path on a command line.
type place struct {
	who  string // the argument or flag
	path string
	use  use
}

func (at place) String() string { return at.who + " " + at.path }

// paths are what one command line reads and writes.
type paths struct {
	read, written []place
	stdin, stdout fs.FileInfo // regular files, or nil
}

// pathsOf reads a command line by the table.
func pathsOf(cmd *cobra.Command, args []string) *paths {
	p := &paths{stdin: regular(cmd.InOrStdin())}
	if out, ok := cmd.Context().Value(stdoutKey{}).(io.Writer); ok {
		p.stdout = regular(out)
	}
	row := places[cmd.Name()]
	names := strings.Fields(cmd.Use)[1:]
	for i, arg := range args {
		switch {
		case i < len(row.args):
			p.add(place{strings.Trim(names[i], "[]"), arg, row.args[i]})
		case strings.HasSuffix(cmd.Use, "...]"): // more of the last
			p.add(place{strings.Trim(names[0], "[]"), arg, row.args[len(row.args)-1]})
		}
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		u, ok := row.flags[f.Name]
		if !ok {
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			p.add(place{"--" + f.Name, v, u})
		}
	})
	return p
}

// regular is what is known of a stream that is a regular file.
func regular(stream any) fs.FileInfo {
	f, ok := stream.(*os.File)
	if !ok {
		return nil
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return nil
	}
	return st
}

// add sorts a place, and gives it the names of the files that it stands for.
func (p *paths) add(at place) {
	if at.path == "" || at.path == std {
		return
	}
	in := func(names ...string) {
		for _, name := range names {
			p.written = append(p.written, place{at.who, filepath.Join(at.path, name), at.use})
		}
	}
	switch at.use {
	case useModel, useInput, useStateIn:
		p.read = append(p.read, at)
	case useNamed: // names of inputs have "=" too
		for i, c := range at.path {
			if c == '=' {
				p.read = append(p.read, place{at.who, at.path[i+1:], useInput})
			}
		}
	case useServed:
		if name, path, ok := strings.Cut(at.path, "="); ok && !strings.ContainsAny(name, `/\`) {
			at.path = path
		}
		p.read = append(p.read, place{at.who, at.path, useModel})
	case useOutput, useAppend, useStateOut:
		p.written = append(p.written, at)
	case useFolder:
		in("new")
	case useTrain:
		in(append(slices.Clone(written), lockFile)...)
	case useConvert:
		if f, err := modelfile.FormatOf(at.path); err == nil && f == modelfile.Folder {
			in(nn.ConfigFile, nn.WeightsFile)
		}
		p.written = append(p.written, at) // --to writes any format to any name
	}
}

// lacking is a complaint about arguments that are missing, unless one of those that are
// given is what is wrong: a file that is not there.
func lacking(args []string, format string, a ...any) error {
	for _, arg := range args {
		if _, err := os.Stat(arg); arg != std && err != nil {
			return err
		}
	}
	return usagef(format, a...)
}

// there refuses to write into a folder that is not there, before anything is computed.
func (p *paths) there() error {
	for _, w := range p.written {
		if w.use != useOutput && w.use != useStateOut {
			continue // the others make their folders, or are beside what makes them
		}
		dir := filepath.Dir(w.path)
		var p *fs.PathError
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && errors.As(err, &p) {
			return fmt.Errorf("saving %s: there is no folder %s: %w", w.path, dir, p.Err)
		}
	}
	return nil
}

// check refuses a command line that would write over what it reads.
func (p *paths) check() error {
	for i, w := range p.written {
		if err := p.mayWrite(w); err != nil {
			return err
		}
		for _, other := range p.written[:i] {
			if other.who != w.who && sameFile(w.path, other.path) {
				return usagef("%v and %v are the same file: give them different names", other, w)
			}
		}
	}
	if p.stdout == nil {
		return nil
	}
	for _, r := range p.read {
		if r.holds(p.stdout) {
			return usagef("standard output is the same file as %v, or a part of it, which is read: choose another name", r)
		}
	}
	for _, w := range p.written {
		if st, err := os.Stat(w.path); err == nil && os.SameFile(st, p.stdout) {
			return usagef("standard output is the same file as %v: give them different names", w)
		}
	}
	return nil
}

// mayWrite refuses a path that is a file that is read, also through links, or that
// is inside a folder of data.
func (p *paths) mayWrite(w place) error {
	st, err := os.Stat(w.path)
	there := err == nil && st.Mode().IsRegular()
	if there && p.stdin != nil && os.SameFile(st, p.stdin) {
		return usagef("%v is the same file as standard input, which is read: choose another name", w)
	}
	for _, r := range p.read {
		switch {
		case r.use == useStateIn && w.use == useStateOut: // what goes on from run to run
		case there && r.holds(st):
			return usagef("%v is the same file as %v, or a part of it, which is read: choose another name", w, r)
		case r.use == useInput && isInside(w.path, r.path):
			return usagef("%v is inside %v, a folder that is read: choose another place", w, r)
		}
	}
	return nil
}

// holds reports whether a file is the one that is read, or one of those that are
// read with it.
func (at place) holds(file fs.FileInfo) bool {
	same := func(path string) bool {
		st, err := os.Stat(path)
		return err == nil && os.SameFile(st, file)
	}
	if at.use == useModel {
		return slices.ContainsFunc(modelfile.Files(at.path), same)
	}
	found := false
	// What cannot be read is none of what is.
	_ = filepath.WalkDir(at.path, func(path string, d fs.DirEntry, err error) error {
		if err == nil && same(path) {
			found = true
			return fs.SkipAll
		}
		return nil
	})
	return found || same(at.path)
}

// isInside reports whether a path, there or not, is below a folder, through links
// too.
func isInside(path, dir string) bool {
	top, err := os.Stat(dir)
	if err != nil || !top.IsDir() {
		return false
	}
	for at := resolved(path); ; at = filepath.Dir(at) {
		if st, err := os.Stat(at); err == nil && os.SameFile(st, top) {
			return true
		}
		if at == filepath.Dir(at) {
			return false
		}
	}
}

// sameFile reports whether two paths, there or not, are of one file.
func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	if errX == nil && errY == nil {
		return x.Mode().IsRegular() && os.SameFile(x, y)
	}
	return errX != nil && errY != nil && resolved(a) == resolved(b)
}

// resolved is an absolute path without links, as far as it is there.
func resolved(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if dir := filepath.Dir(path); dir != path {
		return filepath.Join(resolved(dir), filepath.Base(path))
	}
	return path
}
