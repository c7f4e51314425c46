package onnx

import (
	"slices"
	"testing"
)

// TestExternalNamesTheFilesBeside: once each, wherever their tensors stand.
func TestExternalNamesTheFilesBeside(t *testing.T) {
	outside := func(name, location string) []byte {
		return message(tensorBytes(name, 1), num(14, 1), sub(13, message(str(1, "location"), str(2, location))))
	}
	body := sub(1, message(str(4, "If"), sub(5, message(str(1, "body"), sub(6, sub(5, outside("u", "c.data")))))))
	f, err := Parse(sub(7, message(body, sub(5, outside("w", "b.data")), sub(5, outside("v", "a.data")), sub(5, outside("x", "b.data")))), "m.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.External(), []string{"a.data", "b.data", "c.data"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
