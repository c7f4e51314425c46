package task_test

import (
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/task"
)

// A forecast that is no better than one of the naive ones says than which.
func TestForecastSaysWhatBeatsIt(t *testing.T) {
	for want, mse := range map[string][3]float64{
		"does not beat the seasonal naive forecast: ":           {2, 3, 1},
		"does not beat the naive forecast: ":                    {2, 1, 3},
		"does not beat the naive nor the seasonal naive foreca": {2, 2, 1},
		"": {1, 2, 3},
	} {
		values := map[string]float64{"model": mse[0], "naive": mse[1], "seasonal naive": mse[2]}
		m := task.Measurement{MAE: values, MSE: values, Scaled: values}
		if got := m.Text(); !strings.Contains(got, want) || want == "" && strings.Contains(got, "beat") {
			t.Errorf("%v: %s", mse, got)
		}
	}
}
