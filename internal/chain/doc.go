// Package chain makes a program of named tensors and one line that says how a
// PyTorch model goes through them: what forward() does, which a state dict does
// not hold.
//
//	embedding | lstm | last | fc1 | relu | fc2 | sigmoid
//	y = gru; a = y | w | tanh | v | softmax(dim=1); mul(a, y) | sum(dim=1) | fc
//
// Parse reads the line, Build looks up its names in a checkpoint.Source and makes
// a graph.Graph, and Sequential writes the line of a module that was saved whole
// and needs none. docs/chain.md has the language and its tables.
//
// A module is what its tensors' names and shapes say, or its class where the file
// has modules; a function is torch's of that name, with torch's arguments in
// torch's order and torch's defaults. A name that could be two things is asked
// for, with both readings.
//
// Letters in shapes: N batch, B sequences, T steps, C channels, I inputs, H
// units, L layers, D directions.
package chain
