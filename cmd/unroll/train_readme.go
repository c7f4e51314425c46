package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

// readme is the README.md of the model folder: on what, how and how well. result
// is the measurement on the test part, once there is one.
func (u *training) readme(result string) string {
	c, at := u.loop.Model.Config(), u.loop.Progress()
	n, _ := c.Parameters()
	var b strings.Builder
	file := u.Data
	if filepath.IsAbs(file) { // where it stood on this machine says nothing
		file = filepath.Base(file)
	}
	fmt.Fprintf(&b, "# %s\n\n%s with a linear head of %d outputs, %.0f parameters. `unroll predict` uses it.\n\n", u.task.Kind().Title, c.RNN, c.OutFeatures, n)
	fmt.Fprintf(&b, "## Trained on\n\n`%s`: %s.\n\n", file, u.set.About)
	for _, g := range u.Grown {
		fmt.Fprintf(&b, "It began with fewer, and went on with %s. The command below does not give this model.\n\n", g)
	}
	fmt.Fprintf(&b, "## How\n\n    unroll train %s\n\n", strings.Join(append([]string{file}, u.Flags...), " "))
	fmt.Fprintf(&b, "%s, learning rate %g, schedule %s, weight decay %g, batches of %s, gradient norm clipped at %g, dropout %g between layers and %g before the head, seed %s; %d of %d epochs in %.0f s. The model is that of epoch %d, the best on the validation part.\n\n",
		u.loop.Optimizer.Algorithm().Name(), u.LR, u.Schedule, u.WeightDecay, option(u.task, "batch"), u.ClipNorm, u.Dropout, u.HeadDropout, option(u.task, "seed"), at.Epoch, u.Epochs, u.Seconds, at.BestEpoch+1)
	fmt.Fprintf(&b, "## How well\n\nValidation loss: %.4f %s.\n", at.Best, u.set.Unit)
	if result != "" {
		fmt.Fprintf(&b, "\n```\n%s```\n", result)
	}
	return b.String()
}
