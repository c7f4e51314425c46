// Command vad prints where somebody speaks in a WAV file, by the silero model, which
// it opens as its authors ship it.
//
//	go run ./examples/vad -model silero_vad.onnx speech.wav
//
// With -frames FILE.npy it writes what the model hears instead, [frames, samples], for
// the model of whole sequences that its package has too.
//
// The README beside this file says how to get the model.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/go-audio/wav"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/npy"
	"github.com/unroll-ml/unroll/model"
)

func main() {
	file := flag.String("model", "silero_vad.onnx", "the model")
	times := flag.Bool("times", false, "print how long a frame takes, on stderr")
	heard := flag.String("frames", "", "write what the model hears to this .npy file, and run nothing")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: vad [-model FILE] [-times] [-frames FILE.npy] SPEECH.wav")
		os.Exit(2)
	}
	if *heard != "" {
		if err := keep(*heard, flag.Arg(0)); err != nil {
			fmt.Fprintln(os.Stderr, "vad:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(os.Stdout, *file, flag.Arg(0), *times); err != nil {
		fmt.Fprintln(os.Stderr, "vad:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, file, sound string, times bool) error {
	samples, rate, err := read(sound)
	if err != nil {
		return err
	}
	m, err := model.Open(file)
	if err != nil {
		return err
	}
	defer m.Close()
	start := time.Now()
	p, took, err := speech(m, samples, rate)
	if err != nil {
		return err
	}
	for _, s := range segments(p, rate, len(samples)) {
		fmt.Fprintf(w, "%.1f\t%.1f\n", float64(s.start)/float64(rate), float64(s.end)/float64(rate))
	}
	if times && len(took) > 0 {
		slices.Sort(took)
		fmt.Fprintf(os.Stderr, "%d frames of %d ms in %v; a frame: median %v, longest %v\n", len(p),
			1000*frame(rate)/rate, time.Since(start).Round(time.Millisecond), took[len(took)/2], took[len(took)-1])
	}
	return nil
}

// keep writes the frames of a sound.
func keep(file, sound string) error {
	samples, rate, err := read(sound)
	if err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(npy.Write(out, checkpoint.Of("", frames(samples, rate))), out.Close())
}

// read returns the first channel of a WAV file in [-1, 1] and its rate, 8000 or
// 16000 a second.
func read(name string) (samples []float32, rate int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	d := wav.NewDecoder(f)
	if !d.IsValidFile() {
		return nil, 0, fmt.Errorf("%s is not a WAV file", name)
	}
	all, err := d.FullPCMBuffer()
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	rate = int(d.SampleRate)
	if rate != 8000 && rate != 16000 || d.BitDepth != 16 {
		return nil, 0, fmt.Errorf("%s has %d samples of %d bits a second, the model hears 8000 or 16000 of 16; convert it, as with: sox %s -r 16000 -b 16 out.wav",
			name, rate, d.BitDepth, name)
	}
	for i := 0; i < len(all.Data); i += int(d.NumChans) {
		samples = append(samples, float32(all.Data[i])/32768)
	}
	return samples, rate, nil
}
