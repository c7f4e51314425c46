package data_test

import (
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/train"
	"github.com/unroll-ml/unroll/train/data"
)

// A text becomes batches: two parts of it are read side by side, three characters
// at a time; the target of a character is the next one.
func ExampleBatchText() {
	text, err := data.ReadText(data.File{Path: "poem.txt", In: strings.NewReader("to be or not to be")})
	if err != nil {
		fmt.Println(err)
		return
	}
	tokens := data.Split(text, "char")
	v := data.BuildVocabulary(tokens, "char", 0)
	d := data.BatchText(data.Encode(v, tokens), 2, 3)
	fmt.Println(d.Len(), "batches an epoch")
	var b train.Batch
	d.Batch(0, &b)
	for t := range b.In.T {
		var x, y []string
		for c := range b.In.B {
			x = append(x, v.Tokens[b.In.Tokens[t*b.In.B+c]])
			y = append(y, v.Tokens[b.Classes[t*b.In.B+c]])
		}
		fmt.Printf("%q then %q\n", x, y)
	}
	// Output:
	// 3 batches an epoch
	// ["t" " "] then ["o" "n"]
	// ["o" "n"] then [" " "o"]
	// [" " "o"] then ["b" "t"]
}

// A table of hours: gaps are found, and the steps are scaled.
func ExampleReadTable() {
	file := "time,load\n2024-01-01 00:00,10\n2024-01-01 01:00,12\n2024-01-01 03:00,14\n2024-01-01 04:00,16\n"
	t, err := data.ReadTable(data.File{Path: "load.csv", In: strings.NewReader(file)}, data.TableOptions{Gaps: "fill"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.Columns, t.Rows)
	for _, n := range t.Notes {
		fmt.Println(n)
	}
	s := data.NewScaling(t.Columns, t.Rows)
	fmt.Println(s.Mean, s.Usable())
	// Output:
	// [load] [[10] [12] [13] [14] [16]]
	// load.csv: put in 1 missing row on straight lines, and left out 0 rows of times that stand there twice
	// [13] true
}

// What is wrong with a file is said with its line.
func ExampleReadLabelled() {
	file := "text,label\nanna,x\nbob,y\n"
	all, _, err := data.ReadLabelled(data.File{Path: "names.csv", In: strings.NewReader(file)}, data.LabelledOptions{Text: "text", Label: "label"})
	fmt.Println(len(all), all[0].Text, all[0].Label, err)

	_, _, err = data.ReadLabelled(data.File{Path: "names.csv", In: strings.NewReader("text,label\nanna,\n")}, data.LabelledOptions{Text: "text", Label: "label"})
	fmt.Println(err)
	// Output:
	// 2 anna x <nil>
	// names.csv:2: an empty text or label; fill it in or take the line out
}
