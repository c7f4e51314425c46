package main

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// TestForecastIsThatOfKeras holds 24 hours, each made from those before, to what Keras
// recorded.
func TestForecastIsThatOfKeras(t *testing.T) {
	text, err := os.ReadFile("expect.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct{ Last, Ahead []float32 }
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	got, err := forecast("load.keras", want.Last, len(want.Ahead))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 24 {
		t.Fatalf("%d hours", len(got))
	}
	for i, v := range got {
		if math.Abs(float64(v-want.Ahead[i])) > 1e-4*math.Abs(float64(want.Ahead[i])) {
			t.Errorf("in %d hours: %g, Keras %g", i+1, v, want.Ahead[i])
		}
	}
	if err := run("load.keras", "expect.json"); err != nil {
		t.Error(err)
	}
}
