package data_test

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unroll-ml/unroll/train/data"
)

// Times are those that pandas reads in the same texts, and series go on as its
// frequencies do, in the form that they have; testdata/times.py wrote both.
func TestTimesAreThoseOfPandas(t *testing.T) {
	b, err := os.ReadFile("testdata/times.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Forms  [][2]string
		Series []struct {
			Freq       string
			Rows, Next []string
		}
	}
	if err := json.Unmarshal(b, &want); err != nil || len(want.Forms) < 50 || len(want.Series) < 20 {
		t.Fatalf("%d forms, %d series, %v", len(want.Forms), len(want.Series), err)
	}
	for _, f := range want.Forms {
		got, zoned, why := data.ParseTime(f[0])
		layout := "2006-01-02T15:04:05.999999999"
		if zoned {
			layout += "-07:00"
		}
		right, err := time.Parse(layout, f[1])
		if err != nil || why != "" || !got.Equal(right) {
			t.Errorf("%s is %v (%s), pandas says %v (%v)", f[0], got, why, right, err)
		}
	}
	for _, s := range want.Series {
		text := "t;x\n" + strings.Join(s.Rows, ";1\n") + ";1\n"
		table, err := data.ReadTable(data.File{Path: write(t, "s.csv", text)}, data.TableOptions{})
		if err != nil {
			t.Errorf("%s: %v", s.Freq, err)
			continue
		}
		if got, why := table.After(len(s.Next)); !slices.Equal(got, s.Next) {
			t.Errorf("%s, %s: goes on with\n%q %s, pandas with\n%q", s.Freq, s.Rows[0], got, why, s.Next)
		}
	}
}

// What is written in other ways is refused with the reason.
func TestTimesThatAreNotRead(t *testing.T) {
	for text, want := range map[string]string{
		"05/01/10": "a year of two digits", "29-Mar-24": "a year of two digits", "2024-03-29 24:00": "the hour 24",
		"2024-03-29 15:04:60": "a leap second", "2024-03-29 15:04 CET": "names a time zone", "2024-03-29T15:04+01:00[Europe/Berlin]": "names a time zone",
		"1711670400": "seconds or parts of them since 1970 perhaps", "1711670400123": "since 1970 perhaps", "45380": "is a number", "": "is empty",
		"2024-02-30": "no such day", "20240230": "no such day", "2024-13": "no such day or month", "2024-W54": "no time that can be read", "2023-366": "no time that can be read",
		"2023-W53": "no time that can be read", "2024-W1-1": "no time that can be read", "2024W01-1": "no time that can be read",
		"29 Foo 2024": "no time that can be read", "Foo, 29 Mar 2024": "no time that can be read", "2024-03/29": "no time that can be read",
		"2024-03-29 25:00": "no time that can be read", "2024-03-29 13:00 PM": "no time that can be read", "2024-03-29 0:30 am": "no time that can be read",
		"20240329 2460": "no time that can be read", "2024-03-29 10:00+24:00": "no time that can be read", "01/02/2024": "day or month first",
	} {
		if _, _, why := data.ParseTime(text); !strings.Contains(why, want) {
			t.Errorf("%q: %q, want %q", text, why, want)
		}
	}
}

// Counts since 1970 have the unit that their digits tell, and go on in it.
func TestCountsSince1970(t *testing.T) {
	for text, want := range map[string]string{
		"1711670400 1711674000":                   "1711677600",
		"999996400 1000000000":                    "1000003600",
		"1711670400.25 1711670400.50":             "1711670400.75",
		"1711670400000 1711674000000":             "1711677600000",
		"1711670400000.5 1711670400001.0":         "1711670400001.5",
		"1711670400000000 1711674000000000":       "1711677600000000",
		"1711670400000000000 1711674000000000000": "1711677600000000000",
		"1711670400 1711674000000":                `"1711674000000" counts since 1970 in another unit`,
		"17116704 17116740":                       `"17116704" is no count since 1970`,
		"1711670400. 1711670401.":                 `is no count since 1970`,
		"1711670400.5x 1711670401":                `is no count since 1970`,
		"-171167040 1711670401":                   `is no count since 1970`,
		"now then":                                `"now" is no count since 1970`,
	} {
		rows := strings.Fields(text)
		table, err := data.ReadTable(data.File{Path: write(t, "s.csv", "t,x\n"+strings.Join(rows, ",1\n")+",1\n")}, data.TableOptions{TimeFormat: "unix"})
		if err != nil {
			if !errors.Is(err, data.ErrData) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", text, err, want)
			}
			continue
		}
		if next, why := table.After(1); why != "" || next[0] != want || len(table.Notes) > 0 {
			t.Errorf("%s: %q %s, said %q, want %q", text, next, why, table.Notes, want)
		}
	}
}
