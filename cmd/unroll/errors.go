package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/chain"
	"github.com/unroll-ml/unroll/internal/statedict"
)

// Exit codes.
const (
	codeOK      = 0
	codeFailure = 1
	codeUsage   = 2
)

// failure is an error that a command's own code returned.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// usageError is a wrong use that only a command's own code can see.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// usagef returns an error for a command line that cannot be meant: flags that
// contradict each other, an argument too many. The exit code is 2, and the
// line ends by naming the command's help.
func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// asking puts what package model asks for into the flags that say it.
func asking(err error) error {
	return usagef("%s", strings.ReplaceAll(err.Error(), "Options.Layout TimeFirst or BatchFirst", "--time-first or --batch-first"))
}

// exitCode tells a failure from wrong usage.
func exitCode(err error) int {
	var u usageError
	var f failure
	var a *unroll.ArgError
	switch {
	case err == nil:
		return codeOK
	case errors.As(err, &u) || !errors.As(err, &f) || errors.Is(err, statedict.ErrPrefix):
		return codeUsage
	case errors.As(err, &a) && strings.HasPrefix(a.Arg, "--"): // a package knew the flag
		return codeUsage
	}
	return codeFailure
}

// inWords is what an error says in one line: of a file that cannot be opened in the
// words of every other, whichever package tried; of a chain with the place in words,
// where the error itself has a caret below the chain.
func inWords(err error) string {
	said := err.Error()
	var p *fs.PathError
	if errors.As(err, &p) && (p.Op == "open" || p.Op == "stat" || p.Op == "lstat") {
		said = strings.Replace(said, p.Error(), p.Path+": it cannot be opened: "+p.Err.Error(), 1)
	}
	var c *chain.Error
	if before, _, drawn := strings.Cut(said, "\n    "); drawn && errors.As(err, &c) {
		if said = before + ", at the chain's end"; c.Pos >= 0 && c.Pos < len(c.Text) {
			said = fmt.Sprintf("%s, at %.60q", before, c.Text[c.Pos:])
		}
	}
	return said
}

// ofFlag says of an argument that a flag named it.
func ofFlag(flag string, err error) error {
	var a *unroll.ArgError
	if !errors.As(err, &a) {
		return usagef("--%s: %v", flag, err)
	}
	said := *a
	said.Arg = "--" + flag
	return usageError{&said}
}

// asFlags says in flags what package model, or nn, says of its options.
func asFlags(err error) error {
	var a *unroll.ArgError
	if !errors.As(err, &a) {
		return err
	}
	name, ok := strings.CutPrefix(a.Arg, "Options.")
	if !ok && a.Arg != "keep" {
		return err
	}
	return ofFlag(strings.ToLower(name), a)
}
