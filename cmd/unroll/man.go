//go:build manpages

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// With the build tag manpages, which tools/release sets for a binary of its own,
// the command writes its manual pages, and the same as Markdown:
//
//	go run -tags manpages ./cmd/unroll man FOLDER [markdown]
//
// The binary that people have does not carry the library for it.
func init() {
	row := places["version"] // reads nothing
	row.args = []use{useFolder}
	places["man"] = row
	extraCommands = append(extraCommands, func() *cobra.Command {
		return &cobra.Command{
			Use: "man FOLDER [markdown]", Hidden: true, Args: cobra.RangeArgs(1, 2),
			RunE: func(cmd *cobra.Command, args []string) error {
				root := cmd.Root()
				root.DisableAutoGenTag = true
				root.RemoveCommand(cmd)
				root.InitDefaultVersionFlag()
				keepLists(root)
				if err := os.MkdirAll(args[0], 0o755); err != nil {
					return err
				}
				if len(args) == 2 {
					if err := doc.GenMarkdownTree(root, args[0]); err != nil {
						return err
					}
					return groupMarkdown(root, args[0])
				}
				// The date is that of the commit, so that two builds are equal.
				date := time.Unix(0, 0).UTC()
				if s := os.Getenv("SOURCE_DATE_EPOCH"); s != "" {
					var seconds int64
					if _, err := fmt.Sscan(s, &seconds); err != nil {
						return usagef("SOURCE_DATE_EPOCH is %q, expected seconds since 1970", s)
					}
					date = time.Unix(seconds, 0).UTC()
				}
				err := doc.GenManTree(root, &doc.GenManHeader{
					Title: "UNROLL", Section: "1", Date: &date, Source: "unroll " + readVersion().Version, Manual: "unroll",
				}, args[0])
				if err != nil {
					return err
				}
				return tidyPages(root, args[0], date)
			},
		}
	})
}

// groupMarkdown lists the flags of a command's Markdown as its help does: by groups,
// in 80 columns. cobra has them by letters, in lines as long as their words.
func groupMarkdown(cmd *cobra.Command, dir string) error {
	page := filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "_")+".md")
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	var flags strings.Builder
	printFlags(&flags, cmd)
	options := regexp.MustCompile("(?s)### Options\n\n```\n.*?```")
	text = options.ReplaceAllFunc(text, func([]byte) []byte {
		return []byte("### Options\n\n```\n" + strings.TrimPrefix(flags.String(), "\n") + "```")
	})
	if err := os.WriteFile(page, text, 0o644); err != nil {
		return err
	}
	for _, sub := range cmd.Commands() {
		if !sub.IsAvailableCommand() || sub.IsAdditionalHelpTopicCommand() {
			continue
		}
		if err := groupMarkdown(sub, dir); err != nil {
			return err
		}
	}
	return nil
}

// tidyPages gives the manual pages of cmd and the commands below it a date that can be
// read, and their flags as a reader types them, by the groups of the help: cobra writes a
// month, and --open[=false] and --output="" by letters.
func tidyPages(cmd *cobra.Command, dir string, date time.Time) error {
	page := filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1")
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	month := regexp.MustCompile(`(?m)^(\.TH "UNROLL" "1" )"[^"]*"`)
	text = month.ReplaceAll(text, []byte(`${1}"`+date.Format(time.DateOnly)+`"`))
	options := regexp.MustCompile(`(?s)\.SH OPTIONS\n.*?\n\n\n(\.SH|$)`)
	text = bytes.Replace(text, []byte(`\fB`+cmd.CommandPath()+` [flags]\fP`), []byte(`\fB`+usageLine(cmd)+`\fP`), 1)
	text = options.ReplaceAllFunc(text, func(old []byte) []byte {
		return append([]byte(manCommands(cmd)+manFlags(cmd)+"\n\n"), options.FindSubmatch(old)[1]...)
	})
	if err := os.WriteFile(page, text, 0o644); err != nil {
		return err
	}
	for _, sub := range cmd.Commands() {
		if !sub.IsAvailableCommand() {
			continue
		}
		if err := tidyPages(sub, dir, date); err != nil {
			return err
		}
	}
	return nil
}

// literal is text as it is, for roff.
var literal = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace

// manCommands is the section of a manual page on the commands below one.
func manCommands(cmd *cobra.Command) string {
	var b strings.Builder
	for _, sub := range cmd.Commands() {
		if !sub.IsAvailableCommand() {
			continue
		}
		if b.Len() == 0 {
			b.WriteString(".SH COMMANDS\n")
		}
		fmt.Fprintf(&b, ".TP\n\\fB%s\\fP\n\\&%s\n", literal(sub.Name()), literal(sub.Short))
	}
	return b.String()
}

// manFlags is the section of a manual page on flags.
func manFlags(cmd *cobra.Command) string {
	var b strings.Builder
	b.WriteString(".SH OPTIONS\n")
	for heading, flags := range flagsByGroup(cmd) {
		if len(groupsOf(cmd)) > 0 {
			fmt.Fprintf(&b, ".SS %s\n", heading)
		}
		for _, f := range flags {
			line := strings.TrimSpace(listFlags([]*pflag.Flag{f}, 0))
			typed, words, _ := strings.Cut(line, "   ")
			names, value, _ := strings.Cut(typed, "--")
			name, value, ok := strings.Cut(value, " ")
			if ok {
				value = ` \fI` + literal(value) + `\fP`
			}
			// A zero-width \& goes before what could be a request.
			fmt.Fprintf(&b, ".TP\n\\fB%s\\fP%s\n\\&%s\n", literal(names+"--"+name), value, literal(strings.TrimSpace(words)))
		}
	}
	return b.String()
}

// keepLists indents the lists in the words of all commands as Markdown wants it for
// text that keeps its lines.
func keepLists(cmd *cobra.Command) {
	cmd.Long = regexp.MustCompile(`(?m)^  `).ReplaceAllString(cmd.Long, "    ")
	for _, sub := range cmd.Commands() {
		keepLists(sub)
	}
}
