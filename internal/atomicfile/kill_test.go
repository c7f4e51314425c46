package atomicfile

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// A process that is killed while it saves, again and again, leaves a file that is
// one of its whole contents.
func TestKillDuringWrite(t *testing.T) {
	const size = 1 << 19
	if path := os.Getenv("UNROLL_WRITE"); path != "" { // the process to be killed
		for i := 0; ; i++ {
			err := Write(path, func(w io.Writer) error {
				for range size / 1024 { // in many pieces, so that the kill falls between them
					if _, err := w.Write(bytes.Repeat([]byte{byte('a' + i%26)}, 1024)); err != nil {
						return err
					}
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
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if _, err := os.Stat(path); err == nil {
				break
			}
		}
		time.Sleep(time.Duration(5+kill*3) * time.Millisecond)
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
		for _, name := range left {
			inside++
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if t.Logf("%d of 20 kills fell inside a save", inside); inside == 0 {
		t.Error("no kill fell inside a save: nothing was tested")
	}
}
