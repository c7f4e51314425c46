package modelfile

// Door is how the command gives package model what it opened, with types that no
// public name may show. Package model sets it, whose own types cannot be named here:
//
//	Open      func(model.Options, *File) (*model.Model, error)
//	Describe  func(model.Options, *File) *model.Description
//	OfLoaded  func(path string, l *Loaded) (*model.Model, error)
var Door struct{ Open, Describe, OfLoaded any }
