package task

import "github.com/unroll-ml/unroll/train/data"

// Series is a forecaster's table and the row from which its Part begins.
func Series(s *Set) (*data.Series, int) { return s.series, s.first }
