// Package testkit holds what tests of every package share: the golden files,
// the one comparison of numbers and the one of bits, the gradient check, and
// memory that notices when it is touched outside its bounds. Only tests
// import it.
package testkit
