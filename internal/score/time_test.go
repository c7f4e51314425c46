package score

import (
	"io"
	"math"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint/array/text"
)

// Places are in one order however they are written: by rounded numbers, 2^53+1
// would stand at 2^53, and what a sort makes of that depends on where it began.
func TestWholeAndOtherNumbersAreInOneOrder(t *testing.T) {
	ordered := []string{
		"-1e300", "-9223372036854775808", "-1.5", "-1", "0", "0.25", "1", "1.5",
		"9007199254740992", "9007199254740993", "9.007199254740994e15", "9007199254740995", "9223372036854775807", "9223372036854775808", "Inf",
	}
	var list []Time
	for _, s := range ordered {
		v, err := ParseTime(s)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	for i := range list {
		for j := range list {
			got, err := list[i].Compare(list[j])
			want := 0
			if i != j {
				want = int(math.Copysign(1, float64(i-j)))
			}
			if err != nil || got != want {
				t.Errorf("%s against %s: %d, %v, want %d", ordered[i], ordered[j], got, err, want)
			}
		}
	}
}

// A wrong row is a *RowError, and the next call reads the next row.
func TestReadingGoesOnAfterAWrongRow(t *testing.T) {
	in := "who,t,x\na,1,1\na,2,one\nb,soon,2\nb,3\nb,4,4\n"
	c, _, err := NewCSV(strings.NewReader(in), "f.csv", text.Dialect{}, Columns{Key: "who", Time: "t"})
	if err != nil {
		t.Fatal(err)
	}
	r := Row{X: make([]float32, 1)}
	var good, bad []string
	for {
		err := c.Next(&r)
		if err == io.EOF {
			break
		}
		if e, ok := err.(*RowError); ok {
			bad = append(bad, c.Where(r.Place)+" "+e.Error())
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		good = append(good, r.Key+r.At)
	}
	if strings.Join(good, " ") != "a1 b4" || len(bad) != 3 {
		t.Fatalf("good %v, bad %q", good, bad)
	}
	for i, want := range []string{"f.csv: line 3 ", "f.csv: line 4 ", "f.csv: line 5 "} {
		if !strings.HasPrefix(bad[i], want) {
			t.Errorf("bad row %d is %q, want it at %q", i, bad[i], want)
		}
	}
}
