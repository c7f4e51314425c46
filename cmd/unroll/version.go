package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/internal/kernel"
)

// version is what "unroll version --json" prints.
type version struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Kernel   string `json:"kernel"`
	Note     string `json:"kernel_note,omitempty"` // why UNROLL_KERNEL does not hold
}

// A release is stamped by the linker: -X main.stamped=v1.2.3
// -X main.stampedRevision=0123456789ab. Other builds are told by Go's build info.
var stamped, stampedRevision string

func newVersionCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, Go's version and the kernels in use",
		Example: `  unroll version
  unroll version --json
  UNROLL_KERNEL=go unroll version    # with the kernels in pure Go`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := readVersion()
			if asJSON {
				return printJSON(cmd, v)
			}
			fmt.Fprint(cmd.OutOrStdout(), v)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// String is what "unroll version" and "unroll --version" print.
func (v version) String() string {
	rev, note := "", ""
	if v.Revision != "" {
		rev = " " + v.Revision
	}
	if v.Note != "" {
		note = " (" + v.Note + ")"
	}
	return fmt.Sprintf("unroll %s%s\n%s %s\nkernel %s%s\n", v.Version, rev, v.Go, v.Platform, v.Kernel, note)
}

func readVersion() version {
	v := version{
		Version:  "(devel)",
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Kernel:   kernel.Level(),
		Note:     kernel.LevelNote(),
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			v.Revision = s.Value[:12]
		}
	}
	if stamped != "" {
		v.Version, v.Revision = stamped, stampedRevision
	}
	return v
}
