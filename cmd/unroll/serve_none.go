//go:build js || noserve

package main

import "github.com/spf13/cobra"

// newServeCmd stands where there is no server: in a page, and in a build with the tag
// noserve, which is 10 MB smaller.
func newServeCmd() *cobra.Command {
	return &cobra.Command{Use: "serve MODEL [NAME=MODEL...]", Hidden: true, RunE: func(*cobra.Command, []string) error {
		return usagef("this build has no server: it is one for a page, or has the tag noserve")
	}}
}
