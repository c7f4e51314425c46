package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// newExplainCmd: built for js the engine is part of the page that explain
// writes, and does not hold that page.
func newExplainCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [MODEL] [INPUT]",
		Short: "Show a run as formulas with numbers (not in builds for js)",
		RunE: func(*cobra.Command, []string) error {
			return errors.New("explain: not in a build for js; use one for another platform")
		},
	}
}
