package main

import (
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/model"
)

// What package model does with a file that the command opened and looked at.
var (
	// openWhole is Options.Open; the model then owns the file, which is closed in case
	// of an error.
	openWhole = modelfile.Door.Open.(func(model.Options, *modelfile.File) (*model.Model, error))
	// describeWhole is Options.Describe.
	describeWhole = modelfile.Door.Describe.(func(model.Options, *modelfile.File) *model.Description)
	// wholeOf is a model of what was loaded of the file named.
	wholeOf = modelfile.Door.OfLoaded.(func(path string, l *modelfile.Loaded) (*model.Model, error))
)
