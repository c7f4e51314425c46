package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// TestAddLevelsAgree: sums of rows and of columns have the bits of their loops at
// every level, for many shapes, with limits lowered, and touch nothing else.
func TestAddLevelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	for i := range 300 {
		m, n := 1+r.IntN(9), 1+r.IntN(150)
		if i == 0 {
			m, n = 9000, 3
		}
		rows := func() Rows[float32] {
			x := Rows[float32]{Row: n + r.IntN(2)*r.IntN(9)}
			x.Data = testkit.AtBorder[float32](t, (m-1)*x.Row+n, r.IntN(2) == 0)
			source{r, []int{0, 3, 30}[i%3]}.fill(x.Data)
			return x
		}
		a, b, start := rows(), rows(), make([]float32, n)
		source{r, 0}.fill(start)
		var added, flushed, columns []float32
		columns = append(columns, start...)
		for row := range m {
			for j := range n {
				sum := a.At(row, n)[j] + b.At(row, n)[j]
				added, flushed = append(added, sum), append(flushed, Flush(sum))
				columns[j] += a.At(row, n)[j]
			}
		}
		for _, level := range Levels() {
			atLevel(t, level, func() {
				defer SetLimits(SetLimits(LowLimits(r.IntN)))
				name := fmt.Sprint(level, " ", m, " ", n)
				dst := Rows[float32]{testkit.AtBorder[float32](t, m*n, r.IntN(2) == 0), n}
				AddRows(m, n, dst, a, b)
				sameBits(t, "AddRows "+name, dst.Data, added)
				AddFlushRows(m, n, dst, a, b)
				sameBits(t, "AddFlushRows "+name, dst.Data, flushed)
				copy(dst.Data, b.Data[:n])
				if m == 1 {
					AddRows(m, n, dst, a, dst)
					sameBits(t, "AddRows in place "+name, dst.Data, added)
				}
				sum := testkit.AtBorder[float32](t, n, r.IntN(2) == 0)
				copy(sum, start)
				AddColumns(m, n, sum, a)
				sameBits(t, "AddColumns "+name, sum, columns)
			})
		}
	}
}
