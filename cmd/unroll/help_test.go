package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// everyCommand calls f for root and all commands below it.
func everyCommand(cmd *cobra.Command, f func(*cobra.Command)) {
	f(cmd)
	for _, sub := range cmd.Commands() {
		everyCommand(sub, f)
	}
}

// Help begins with two or three examples, and each is a command line that the
// command accepts.
func TestEveryCommandHasExamples(t *testing.T) {
	shown := 0
	everyCommand(newRootCmd(), func(cmd *cobra.Command) {
		if cmd.Name() == "help" {
			return
		}
		lines := strings.Split(cmd.Example, "\n")
		if len(lines) < 2 || len(lines) > 3 {
			t.Errorf("%s has %d lines of examples, want 2 or 3", cmd.CommandPath(), len(lines))
		}
		for _, line := range lines {
			if !strings.HasPrefix(line, "  ") || !regexp.MustCompile(`\bunroll\b`).MatchString(line) {
				t.Errorf("%s: the example %q is no indented command", cmd.CommandPath(), line)
				continue
			}
			checkExample(t, cmd, line)
			shown++
		}
	})
	if shown < 30 {
		t.Errorf("%d examples, want at least 30: the test misses commands", shown)
	}
}

// checkExample parses a line without running it.
func checkExample(t *testing.T, cmd *cobra.Command, line string) {
	t.Helper()
	text, _, _ := strings.Cut(line, " #")
	text = regexp.MustCompile(`unroll [^)|>]*`).FindString(text)
	var args []string
	for _, a := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(text, -1)[1:] {
		args = append(args, strings.Trim(a, `"`))
	}
	root := newRootCmd() // flags of an example before are not to be seen
	found, rest, err := root.Find(args)
	if err != nil || cmd.HasParent() && found.CommandPath() != cmd.CommandPath() && !strings.HasPrefix(found.CommandPath(), cmd.CommandPath()+" ") {
		t.Errorf("%s: the example %q is of %s (%v)", cmd.CommandPath(), line, found.CommandPath(), err)
		return
	}
	found.InitDefaultHelpFlag()
	if err := found.ParseFlags(rest); err != nil {
		t.Errorf("%s: the example %q: %v", cmd.CommandPath(), line, err)
		return
	}
	if help, _ := found.Flags().GetBool("help"); help || found.Args == nil {
		return
	}
	if err := found.Args(found, found.Flags().Args()); err != nil {
		t.Errorf("%s: the example %q: %v", cmd.CommandPath(), line, err)
	}
}

// Flags of a command that has more than four stand under headings.
func TestFlagsHaveGroups(t *testing.T) {
	everyCommand(newRootCmd(), func(cmd *cobra.Command) {
		var all, loose []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			all = append(all, f.Name)
			if headingOf(f) == more && f.Name != "help" {
				loose = append(loose, f.Name)
			}
			if h := headingOf(f); h != more && !slices.Contains(groupsOf(cmd), h) {
				t.Errorf("%s --%s stands under %q, which its help does not show", cmd.CommandPath(), f.Name, h)
			}
		})
		if len(all) > 4 && len(loose) > 0 {
			t.Errorf("%s: no heading for %v; add them to its groupFlags", cmd.CommandPath(), loose)
		}
	})
}

// The first words of a help are what the command does, and then its examples.
func TestHelpBeginsWithExamples(t *testing.T) {
	everyCommand(newRootCmd(), func(cmd *cobra.Command) {
		if cmd.Name() == "help" {
			return
		}
		var out strings.Builder
		cmd.SetOut(&out)
		printHelp(cmd, nil)
		if want := cmd.Short + "\n\nExamples:\n" + cmd.Example + "\n\nUsage:\n  unroll"; !strings.HasPrefix(out.String(), want) {
			t.Errorf("%s --help begins\n%.300s\nwant\n%s", cmd.CommandPath(), out.String(), want)
		}
	})
}

// Help fits into 80 columns where nothing says how wide the terminal is.
func TestHelpFitsEightyColumns(t *testing.T) {
	everyCommand(newRootCmd(), func(cmd *cobra.Command) {
		var out strings.Builder
		cmd.SetOut(&out)
		printHelp(cmd, nil)
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
				t.Errorf("%s --help has a line of %d letters: %s", cmd.CommandPath(), n, line)
			}
			if strings.Contains(line, "[=") {
				t.Errorf("%s --help gives a flag without an argument one: %s", cmd.CommandPath(), line)
			}
		}
	})
	if got, want := wrapped("one two\nthree\n\n  as it  is\nfour", 9), "one two\nthree\n\n  as it  is\nfour"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := wrapped("one two three\nfour", 13), "one two three\nfour"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"json", "json", 0}, {"jsno", "json", 1}, {"batch", "bath", 1}, {"epoch", "epochs", 1}, {"lr", "mode", 4}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// A release is what the linker says it is; --version and version say the same.
func TestReleaseIsStamped(t *testing.T) {
	defer func(v, r string) { stamped, stampedRevision = v, r }(stamped, stampedRevision)
	stamped, stampedRevision = "v1.2.3", "0123456789ab"
	for _, arg := range []string{"version", "--version"} {
		if out := unrollIn(t, arg); !strings.HasPrefix(out, "unroll v1.2.3 0123456789ab\ngo1.") {
			t.Errorf("unroll %s prints %q", arg, out)
		}
	}
}
