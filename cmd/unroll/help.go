package main

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/unroll-ml/unroll/task"
)

// Annotations: the groups of a command in their order, and the group of a flag.
const groupOrder, groupName = "unroll-groups", "unroll-group"

// more is the heading of flags that no group has.
const more = "More"

// groupFlags puts flags of cmd under a heading of its help, in the given order.
// Headings stand in the order of the first calls.
func groupFlags(cmd *cobra.Command, heading string, names ...string) {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	if order := groupsOf(cmd); !slices.Contains(order, heading) {
		cmd.Annotations[groupOrder] = strings.Join(append(order, heading), "\n")
	}
	for i, name := range names {
		f := cmd.Flags().Lookup(name)
		if f.Annotations == nil {
			f.Annotations = map[string][]string{}
		}
		f.Annotations[groupName] = []string{heading, fmt.Sprintf("%03d", i)}
	}
}

func groupsOf(cmd *cobra.Command) []string {
	if s := cmd.Annotations[groupOrder]; s != "" {
		return strings.Split(s, "\n")
	}
	return nil
}

// printHelp is the help of every command: what it does, examples, usage, the
// words, and the flags by groups.
func printHelp(cmd *cobra.Command, _ []string) {
	w := cmd.OutOrStdout()
	fmt.Fprintf(w, "%s\n", cmd.Short)
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", cmd.Example)
	}
	fmt.Fprintf(w, "\nUsage:\n  %s\n", usageLine(cmd))
	if cmd.Long != "" {
		fmt.Fprintf(w, "\n%s\n", wrapped(strings.TrimSpace(cmd.Long), columnsOf(w)))
	}
	printCommands(w, cmd)
	cmd.InitDefaultHelpFlag()
	printFlags(w, cmd)
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\n\"%s COMMAND --help\" says more about a command.\n", cmd.CommandPath())
	}
}

// columnsOf is how wide help is: as the terminal, and 80 elsewhere.
func columnsOf(w io.Writer) int {
	if isTerminal(w) {
		if n, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil && n >= 40 {
			return n
		}
	}
	return 80
}

// wrapped fills the lines of paragraphs anew, of at most so many letters. Lines that
// begin with a blank stay as they are.
func wrapped(text string, columns int) string {
	var out strings.Builder
	at := 0 // letters of the line at hand
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, " ") {
			if at > 0 {
				out.WriteByte('\n')
			}
			out.WriteString(line + "\n")
			at = 0
			continue
		}
		for _, word := range strings.Fields(line) {
			n := utf8.RuneCountInString(word)
			switch {
			case at == 0:
			case at+1+n > columns:
				out.WriteByte('\n')
				at = 0
			default:
				out.WriteByte(' ')
				at++
			}
			out.WriteString(word)
			at += n
		}
	}
	return strings.TrimRight(out.String(), "\n")
}

func usageLine(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND"
	}
	return cmd.UseLine()
}

// printCommands lists the commands below cmd by their groups.
func printCommands(w io.Writer, cmd *cobra.Command) {
	groups := append(cmd.Groups(), &cobra.Group{Title: "More commands:"})
	for _, g := range groups {
		title := "\n" + g.Title + "\n"
		for _, sub := range cmd.Commands() {
			if sub.GroupID == g.ID && (sub.IsAvailableCommand() || sub.Name() == "help") {
				fmt.Fprintf(w, "%s  %-11s %s\n", title, sub.Name(), sub.Short)
				title = ""
			}
		}
	}
}

// flagsByGroup yields the headings of a command's help with their flags. With --task it
// leaves out those of other tasks.
func flagsByGroup(cmd *cobra.Command) iter.Seq2[string, []*pflag.Flag] {
	return func(yield func(string, []*pflag.Flag) bool) {
		only, named := shownTask(cmd)
		for _, heading := range append(groupsOf(cmd), more) {
			var flags []*pflag.Flag
			cmd.Flags().VisitAll(func(f *pflag.Flag) {
				if !f.Hidden && headingOf(f) == heading && (!named || belongs(f, only)) {
					flags = append(flags, f)
				}
			})
			slices.SortStableFunc(flags, func(a, b *pflag.Flag) int { return strings.Compare(placeOf(a), placeOf(b)) })
			if len(flags) > 0 && !yield(heading, flags) {
				return
			}
		}
	}
}

// printFlags lists the flags by their groups.
func printFlags(w io.Writer, cmd *cobra.Command) {
	columns := columnsOf(w)
	for heading, flags := range flagsByGroup(cmd) {
		fmt.Fprintf(w, "\n%s:\n%s", heading, listFlags(flags, columns))
	}
}

// listFlags lists flags as a reader types them, in their order; 0 columns: each on one
// line.
func listFlags(flags []*pflag.Flag, columns int) string {
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	set.SortFlags = false
	for _, f := range flags {
		if f.Value.Type() == "bool" {
			plain := *f
			plain.Value, plain.NoOptDefVal = onOff{f.Value}, ""
			f = &plain
		}
		set.AddFlag(f)
	}
	return set.FlagUsagesWrapped(columns)
}

// onOff is a flag without an argument, which pflag would list as --flag[=true|false].
type onOff struct{ pflag.Value }

func (onOff) Type() string { return "" }

func headingOf(f *pflag.Flag) string {
	if g := f.Annotations[groupName]; g != nil {
		return g[0]
	}
	return more
}

func placeOf(f *pflag.Flag) string {
	if g := f.Annotations[groupName]; g != nil {
		return g[1]
	}
	return f.Name
}

// shownTask is the task that --task names before --help.
func shownTask(cmd *cobra.Command) (task.Kind, bool) {
	f := cmd.Flags().Lookup("task")
	if f == nil {
		return task.Kind{}, false
	}
	i := slices.IndexFunc(task.Kinds, func(k task.Kind) bool { return k.Name == f.Value.String() })
	if i < 0 {
		return task.Kind{}, false
	}
	return task.Kinds[i], true
}

// belongs reports whether a flag is of use to a task. What is no option of a
// task but for some of them only says so: "text, tag: ...".
func belongs(f *pflag.Flag, k task.Kind) bool {
	if isOption(f.Name) {
		return optionFlags(k.New()).Lookup(f.Name) != nil
	}
	if f.Name == "bidirectional" {
		return !k.Causal
	}
	before, _, found := strings.Cut(f.Usage, ": ")
	names := strings.Split(before, ", ")
	isTask := func(name string) bool {
		return slices.ContainsFunc(task.Kinds, func(k task.Kind) bool { return k.Name == name })
	}
	return !found || !isTask(names[0]) || slices.Contains(names, k.Name)
}

// groupOptions puts the options of the tasks under headings that say whose they
// are; those of every task, and those of tables, have their own.
func groupOptions(cmd *cobra.Command) {
	var tables []string
	for _, a := range new(task.Separated).Arguments() {
		tables = append(tables, a.Name)
	}
	names := map[string][]string{} // by heading
	var order []string
	for _, k := range task.Kinds {
		optionFlags(k.New()).VisitAll(func(f *pflag.Flag) {
			heading := optionHeading(f.Name, tables)
			if !slices.Contains(order, heading) {
				order = append(order, heading)
			}
			if !slices.Contains(names[heading], f.Name) {
				names[heading] = append(names[heading], f.Name)
			}
		})
	}
	slices.SortStableFunc(order, func(a, b string) int { return headingRank(a) - headingRank(b) })
	for _, h := range order {
		groupFlags(cmd, h, names[h]...)
	}
}

const everyTask, ofTables = "Data", "Tables"

// headingRank puts what every task has first and the looks of tables last.
func headingRank(h string) int {
	switch h {
	case everyTask:
		return 0
	case ofTables:
		return 2
	}
	return 1
}

func optionHeading(name string, tables []string) string {
	if slices.Contains(tables, name) {
		return ofTables
	}
	var of []string
	for _, k := range task.Kinds {
		if optionFlags(k.New()).Lookup(name) != nil {
			of = append(of, k.Name)
		}
	}
	if len(of) == len(task.Kinds) {
		return everyTask
	}
	return "Task " + strings.Join(of, ", ")
}

// suggestFlags names the flags of cmd that name may have meant: those two
// letters away, those it begins with and those that begin with it.
func suggestFlags(cmd *cobra.Command, name string) (near []string) {
	name = strings.ReplaceAll(name, "_", "-")
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && (distance(name, f.Name) <= min(2, len(name)/3) || len(name) > 2 && (strings.HasPrefix(f.Name, name) || strings.HasPrefix(name, f.Name+"-"))) {
			near = append(near, "--"+f.Name)
		}
	})
	return near
}

// suggestValue adds to an error that quotes the value of a flag which of its few
// values may have been meant.
func suggestValue(cmd *cobra.Command, err error) error {
	few := fewValues()
	cmd.Flags().Visit(func(f *pflag.Flag) {
		value := f.Value.String()
		if few[f.Name] == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", value)) {
			return
		}
		var near []string
		for _, v := range few[f.Name] {
			if distance(strings.ToLower(value), strings.ToLower(v)) <= max(1, min(2, len(value)/3)) {
				near = append(near, v)
			}
		}
		if len(near) > 0 && !slices.Contains(near, value) {
			err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(near, " or "))
		}
	})
	return err
}

// distance is the number of letters to insert, take out, change or swap with
// their neighbour that makes a into b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}

// unknownFlag adds to pflag's error what may have been meant.
func unknownFlag(cmd *cobra.Command, err error) error {
	var missing *pflag.NotExistError
	if !errors.As(err, &missing) {
		return err
	}
	if near := suggestFlags(cmd, missing.GetSpecifiedName()); len(near) > 0 {
		return fmt.Errorf("%w; did you mean %s?", err, strings.Join(near, " or "))
	}
	return err
}
