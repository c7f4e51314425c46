//go:build manpages

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
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
				return tidyPages(args[0], date)
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

// tidyPages gives manual pages a date that can be read, flags' words an indent that is
// one, and flags without an argument their name alone: cobra writes a month, a tab in
// text that is filled, and --open[=false].
func tidyPages(dir string, date time.Time) error {
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil {
		return err
	}
	month, tab := regexp.MustCompile(`(?m)^(\.TH "UNROLL" "1" )"[^"]*"`), regexp.MustCompile(`(?m)^\t(.+)$`)
	off := regexp.MustCompile(`(?m)^(\\fB-.*\\fP)\[=false\]$`)
	for _, p := range pages {
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		text = month.ReplaceAll(text, []byte(`${1}"`+date.Format(time.DateOnly)+`"`))
		text = off.ReplaceAll(text, []byte("$1"))
		text = tab.ReplaceAll(text, []byte(".RS\n$1\n.RE"))
		if err := os.WriteFile(p, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// keepLists indents the lists in the words of all commands as Markdown wants it for
// text that keeps its lines.
func keepLists(cmd *cobra.Command) {
	cmd.Long = regexp.MustCompile(`(?m)^  `).ReplaceAllString(cmd.Long, "    ")
	for _, sub := range cmd.Commands() {
		keepLists(sub)
	}
}
