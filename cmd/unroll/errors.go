package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll"
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
	switch {
	case err == nil:
		return codeOK
	case errors.As(err, &u) || !errors.As(err, &f):
		return codeUsage
	}
	return codeFailure
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
	said := *a
	said.Arg = "--" + strings.ToLower(name)
	return usageError{&said}
}
