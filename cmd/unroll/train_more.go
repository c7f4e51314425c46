package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train"
)

// inOrder are the tasks whose data grow at its end: the parts are cut along time.
var inOrder = []string{"forecast", "text"}

// grown takes data that begin with those of the run and go on after them: what the
// model knows of its data (scaling, vocabulary) stays as it was trained with.
func (u *training) grown(old string) error {
	fail := func(format string, a ...any) error { return usagef("--more-rows: "+format, a...) }
	switch {
	case !slices.Contains(inOrder, u.Task):
		return fail("task %s draws its parts from all of the data, and more of it would move texts of the test part into training; train anew", u.Task)
	case u.Bytes == 0:
		return fail("the run in %s kept no size of its data; train anew without --resume", u.point)
	case u.Schedule == "cosine" || u.Schedule == "onecycle":
		return fail("schedule %s counts the steps of the data the run began with; train anew without --resume", u.Schedule)
	}
	head, err := headFingerprint(u.Data, u.Bytes)
	if err != nil {
		return err
	}
	if head != u.Fingerprint {
		return fail("%s does not begin with the %d bytes of data that the run in %s began with; go on with those, or train anew without --resume", u.Data, u.Bytes, u.point)
	}
	cfg, err := nn.ReadConfig(u.out)
	if err != nil {
		return err
	}
	learnt, err := task.Of(cfg)
	if err != nil {
		return err
	}
	if err := restoreOptions(learnt, old); err != nil {
		return err
	}
	u.task, u.grew = learnt, true
	return nil
}

// measureAnew is for a loop that goes on with more data: the best model so far has
// another loss on what is the validation part now.
func (u *training) measureAnew() error {
	if at := u.loop.Progress(); at.Batch > 0 {
		return usagef("--more-rows: the run in %s stopped within epoch %d, whose batches are of the data it began with; finish that epoch first", u.point, at.Epoch+1)
	}
	best, err := nn.Open(u.out)
	if err != nil {
		return err
	}
	loss, err := train.Evaluate(best, u.set.Valid, u.set.Objective, u.Workers, nil)
	if err != nil {
		return err
	}
	was := u.loop.Progress().Best
	u.loop.SetBest(loss)
	note := fmt.Sprintf("more rows from epoch %d on: %s", u.loop.Progress().Epoch+1, u.set.About)
	u.Grown = append(u.Grown, note)
	u.report.line("unroll: %s; the best model so far has validation loss %.4f on these, %.4f before", note, loss, was)
	return nil
}

// headFingerprint is the fingerprint of a file's first n bytes, "" if it has fewer.
func headFingerprint(path string, n int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if got, err := io.Copy(h, io.LimitReader(f, n)); err != nil || got < n {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}
