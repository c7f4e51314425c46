package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-audio/audio"
	"github.com/go-audio/wav"
	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/model"
)

// packageSays asks the model's own package for the segments of a WAV file.
const packageSays = `
import json, sys, wave, os
import numpy, torch, silero_vad
torch.set_num_threads(1)
f = wave.open(sys.argv[1])
x = numpy.frombuffer(f.readframes(f.getnframes()), dtype=numpy.int16).astype(numpy.float32) / 32768
m = silero_vad.load_silero_vad(onnx=True)
s = silero_vad.get_speech_timestamps(torch.from_numpy(x), m, sampling_rate=f.getframerate())
file = os.path.join(os.path.dirname(silero_vad.__file__), "data", "silero_vad.onnx")
print(json.dumps({"model": file, "segments": [[t["start"], t["end"]] for t in s]}))
`

// TestSegmentsAreThoseOfThePackage compares with the Python package of the model, on
// vowels and pauses made here, at both rates.
func TestSegmentsAreThoseOfThePackage(t *testing.T) {
	python := os.Getenv("UNROLL_PYTHON")
	if python == "" {
		t.Skip("UNROLL_PYTHON names no Python with the packages silero-vad and onnxruntime")
	}
	if err := exec.Command(python, "-c", "import silero_vad, onnxruntime").Run(); err != nil {
		t.Skip("this Python has no silero-vad and onnxruntime")
	}
	for _, rate := range []int{8000, 16000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "vowels.wav")
			write(t, file, vowels(rate), rate)
			var stderr bytes.Buffer
			cmd := exec.Command(python, "-c", packageSays, file)
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, &stderr)
			}
			var said struct {
				Model    string
				Segments [][2]int
			}
			if err := json.Unmarshal(out, &said); err != nil {
				t.Fatal(err)
			}
			samples, _, err := read(file)
			if err != nil {
				t.Fatal(err)
			}
			m, err := model.Open(said.Model)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			p, _, err := speech(m, samples, rate)
			if err != nil {
				t.Fatal(err)
			}
			var got [][2]int
			for _, s := range segments(p, rate, len(samples)) {
				got = append(got, [2]int{s.start, s.end})
			}
			if fmt.Sprint(got) != fmt.Sprint(said.Segments) {
				t.Errorf("segments %v, the package has %v", got, said.Segments)
			}
			if len(got) < 2 {
				t.Errorf("only %d segments: the sound tests too little", len(got))
			}
			rounded(t, said.Model, samples, rate, p)
		})
	}
}

// rounded tells how far the probabilities of rounded weights lie from p, those of
// float32, on the sound, by part too, and on 10,000 frames of it, and compares the
// segments. Most of int8's error is of the transform and the convolution after it.
func rounded(t *testing.T, file string, samples []float32, rate int, p []float32) {
	t.Helper()
	const frames = 10_000
	long := slices.Repeat(samples, 1+frames*frame(rate)/len(samples))[:frames*frame(rate)]
	full, err := model.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	want, _, err := speech(full, long, rate)
	if err != nil {
		t.Fatal(err)
	}
	spectrum := slices.DeleteFunc(full.Parts(), func(part string) bool {
		return !strings.HasSuffix(part, "/stft/Conv") && !strings.Contains(part, "/encoder/0/")
	})
	for _, part := range full.Parts() {
		keep := slices.DeleteFunc(full.Parts(), func(other string) bool { return other == part })
		m, err := model.Options{Precision: unroll.Int8, Keep: keep}.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		low, _, err := speech(m, samples, rate)
		if err != nil {
			t.Fatal(err)
		}
		most, mean := apart(low, p)
		t.Logf("int8 of %s alone: largest error %.2g, mean %.2g", part, most, mean)
	}
	for _, c := range []struct {
		name string
		open model.Options
		move int // most frames by which an end of a segment moves, as measured
	}{
		{"int8", model.Options{Precision: unroll.Int8}, 2},
		{"int8 but for the spectrum", model.Options{Precision: unroll.Int8, Keep: spectrum}, 1},
		{"bfloat16", model.Options{Precision: unroll.BFloat16}, 1},
	} {
		m, err := c.open.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		low, _, err := speech(m, samples, rate)
		if err != nil {
			t.Fatal(err)
		}
		got, is := segments(low, rate, len(samples)), segments(p, rate, len(samples))
		most, mean := apart(low, p)
		moved := furthest(got, is) / frame(rate)
		t.Logf("%s: largest error %.2g, mean %.2g; %d segments of %d, their ends moved by at most %d frames", c.name, most, mean, len(got), len(is), moved)
		if most == 0 || len(got) != len(is) || moved > c.move {
			t.Errorf("%s: segments %v, in float32 %v; the largest error is %g", c.name, got, is, most)
		}
		if low, _, err = speech(m, long, rate); err != nil {
			t.Fatal(err)
		}
		for from := 1; from < frames; from *= 10 {
			most, mean := apart(low[from-1:10*from-1], want[from-1:10*from-1])
			t.Logf("%s: frames %d to %d: largest error %.2g, mean %.2g", c.name, from, 10*from-1, most, mean)
		}
	}
}

// furthest is how many samples an end of a segment lies from that of another list.
func furthest(a, b []segment) (most int) {
	for i := range min(len(a), len(b)) {
		for _, d := range []int{a[i].start - b[i].start, a[i].end - b[i].end} {
			most = max(most, d, -d)
		}
	}
	return most
}

// apart returns the largest and the mean distance of two lists.
func apart(a, b []float32) (most, mean float64) {
	for i, x := range a {
		d := math.Abs(float64(x) - float64(b[i]))
		most, mean = max(most, d), mean+d/float64(len(a))
	}
	return most, mean
}

// A frame begins with the last 4 ms of the one before, and the last is filled up.
func TestFramesOverlap(t *testing.T) {
	samples := make([]float32, 700)
	for i := range samples {
		samples[i] = float32(i + 1)
	}
	got := frames(samples, 16000)
	if !slices.Equal(got.Shape, []int{2, 576}) {
		t.Fatalf("shape %v", got.Shape)
	}
	for at, want := range map[int]float32{0: 0, 63: 0, 64: 1, 575: 512, 576: 449, 639: 512, 640: 513, 827: 700, 828: 0, 1151: 0} {
		if got.Data[at] != want {
			t.Errorf("number %d is %v, want %v", at, got.Data[at], want)
		}
	}
}

// TestSegments tries the rule that joins frames, without a model.
func TestSegments(t *testing.T) {
	loud, mid, quiet := 0.9, 0.4, 0.1
	frames := func(runs ...any) (p []float32) {
		for i := 0; i < len(runs); i += 2 {
			for range runs[i].(int) {
				p = append(p, float32(runs[i+1].(float64)))
			}
		}
		return p
	}
	const f = 512
	for _, c := range []struct {
		name string
		p    []float32
		want []segment
	}{
		{"none", frames(20, quiet), nil},
		{"one", frames(5, quiet, 20, loud, 20, quiet), []segment{{5*f - 480, 25*f + 480}}},
		{"to the end", frames(5, quiet, 20, loud), []segment{{5*f - 480, 25 * f}}},
		{"too short", frames(5, quiet, 7, loud, 20, quiet), nil},
		{"a pause below 100 ms", frames(20, loud, 3, quiet, 20, loud, 9, quiet), []segment{{0, 43*f + 480}}},
		{"between the thresholds nothing ends", frames(20, loud, 9, mid, 20, loud), []segment{{0, 49 * f}}},
	} {
		if got := segments(c.p, 16000, len(c.p)*f); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// vowels is 12 seconds of a synthetic voice: pulses of a gliding pitch through
// resonances that change, in words with pauses of several lengths.
func vowels(rate int) []float64 {
	out := make([]float64, 12*rate)
	words := []struct{ from, to float64 }{{0.8, 1.9}, {1.96, 2.9}, {3.3, 3.5}, {4.6, 6.2}, {6.35, 7.4}, {9, 11.5}}
	resonances := [][2]float64{{730, 1090}, {270, 2290}, {530, 1840}, {570, 840}, {300, 870}}
	var y [2][2]float64
	phase := 0.0
	seed := uint32(1)
	for i := range out {
		t := float64(i) / float64(rate)
		seed = seed*1664525 + 1013904223
		noise := (float64(seed)/(1<<32) - 0.5) * 0.002
		in := 0.0
		for j, w := range words {
			if t >= w.from && t < w.to {
				pitch := 120 + 30*math.Sin(2*math.Pi*(t-w.from)*1.3) + float64(10*j)
				if phase += pitch / float64(rate); phase >= 1 {
					phase--
					in = math.Min(1, 12*math.Min(t-w.from, w.to-t))
				}
			}
		}
		v := resonances[int(t*6)%len(resonances)]
		x := in
		for k, hz := range v {
			r := math.Exp(-math.Pi * 90 / float64(rate))
			s := x + 2*r*math.Cos(2*math.Pi*hz/float64(rate))*y[k][0] - r*r*y[k][1]
			y[k][1], y[k][0] = y[k][0], s
			x = s * 0.5
		}
		out[i] = math.Tanh(0.15*x) + noise
	}
	return out
}

func write(t *testing.T, name string, x []float64, rate int) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	b := &audio.IntBuffer{Format: &audio.Format{NumChannels: 1, SampleRate: rate}, SourceBitDepth: 16}
	for _, v := range x {
		b.Data = append(b.Data, int(math.Round(v*20000)))
	}
	e := wav.NewEncoder(f, rate, 16, 1, 1)
	if err := e.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
