package atomicfile

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A process that is killed while it saves, again and again, leaves a file that is
// one of its whole contents. It says how far it is, and is killed at a place that
// moves on from kill to kill.
func TestKillDuringWrite(t *testing.T) {
	const size, pieces = 1 << 19, 8
	if path := os.Getenv("UNROLL_WRITE"); path != "" { // the process to be killed
		for i := 0; ; i++ {
			err := Write(path, func(w io.Writer) error {
				for range pieces {
					if _, err := w.Write(bytes.Repeat([]byte{byte('a' + i%26)}, size/pieces)); err != nil {
						return err
					}
					fmt.Print(".") // a piece is written
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	inside := 0
	for kill := range 20 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKillDuringWrite$")
		cmd.Env = append(os.Environ(), "UNROLL_WRITE="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// One save is whole, and so much of the next is written.
		if _, err := io.ReadFull(out, make([]byte, pieces+1+kill%pieces)); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it says that it was killed
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) != size || bytes.Count(b, b[:1]) != size {
			t.Fatalf("after kill %d the file has %d bytes, not %d equal ones", kill, len(b), size)
		}
		left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*.tmp"))
		if err != nil {
			t.Fatal(err)
		}
		if len(left) > 1 {
			t.Fatalf("after kill %d there are %v: the kill before left one, which this run did not remove", kill, left)
		}
		inside += len(left)
	}
	Sweep(path)
	only(t, filepath.Dir(path), 1)
	if t.Logf("%d of 20 kills fell inside a save", inside); inside == 0 {
		t.Error("no kill fell inside a save: nothing was tested")
	}
}
