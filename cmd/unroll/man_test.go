//go:build manpages

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestManPagesShowWhatIsTyped: every flag of a command stands in its manual page as a
// reader types it, once, below the heading that it has in the help.
func TestManPagesShowWhatIsTyped(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SOURCE_DATE_EPOCH", "31536000")
	var said strings.Builder
	if code := execute(t.Context(), []string{"man", dir}, strings.NewReader(""), &said, &said); code != 0 {
		t.Fatalf("exit code %d: %s", code, &said)
	}
	pages := 0
	everyCommand(newRootCmd(), func(cmd *cobra.Command) {
		if !cmd.IsAvailableCommand() && cmd.HasParent() {
			return
		}
		b, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"))
		if err != nil {
			t.Fatal(err)
		}
		pages++
		page := string(b)
		if odd := regexp.MustCompile(`(?m)^.*(\\fP=|\[=).*$`).FindString(page); odd != "" {
			t.Errorf("%s: nobody types %q", cmd.CommandPath(), odd)
		}
		if strings.Count(page, ".SH OPTIONS") != 1 || !strings.Contains(page, ".SH EXAMPLE") || strings.Contains(page, "\n\t") {
			t.Errorf("%s: a section is missing, or text begins with a tab:\n%s", cmd.CommandPath(), page)
		}
		if !strings.Contains(page, "\\fB"+usageLine(cmd)+"\\fP\n") {
			t.Errorf("%s: the synopsis is not %q", cmd.CommandPath(), usageLine(cmd))
		}
		if !strings.HasPrefix(page, ".nh\n.TH \"UNROLL\" \"1\" \"1971-01-01\" ") {
			t.Errorf("%s: the page begins with %.60q, expected the day of SOURCE_DATE_EPOCH", cmd.CommandPath(), page)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			short := ""
			if f.Shorthand != "" {
				short = `\\-` + f.Shorthand + ", "
			}
			name := `\-\-` + strings.ReplaceAll(f.Name, "-", `\-`)
			typed := regexp.MustCompile(`(?m)^\\fB` + short + regexp.QuoteMeta(name) + `\\fP( \\fI[\w\\-]+\\fP)?$`)
			if n := len(typed.FindAllString(page, -1)); n != 1 {
				t.Errorf("%s: --%s stands %d times as it is typed", cmd.CommandPath(), f.Name, n)
			}
			if h := headingOf(f); len(groupsOf(cmd)) > 0 && !strings.Contains(page, ".SS "+h+"\n") {
				t.Errorf("%s: there is no heading %q", cmd.CommandPath(), h)
			}
		})
	})
	if pages < 15 {
		t.Errorf("%d pages", pages)
	}
}
