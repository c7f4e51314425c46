package main

import "github.com/spf13/cobra"

// newServeCmd says that a page listens nowhere.
func newServeCmd() *cobra.Command {
	return &cobra.Command{Use: "serve MODEL [NAME=MODEL...]", Hidden: true, RunE: func(*cobra.Command, []string) error {
		return usagef("serve needs an operating system with sockets")
	}}
}
