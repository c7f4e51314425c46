package live_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/live"
	"github.com/unroll-ml/unroll/rng"
)

func gru() *unroll.Layer {
	l, err := unroll.New(unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 3})
	if err != nil {
		log.Fatal(err)
	}
	l.ResetParameters(rng.New(1))
	return l
}

// Two calls share a layer; each has a state of its own, and a step that is sent
// again is answered and not made.
func Example() {
	pool, err := live.New(gru(), live.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	ctx, y := context.Background(), make([]float32, 3)
	for _, key := range []string{"call 1", "call 2", "call 1"} {
		if err := pool.Step(ctx, key, y, []float32{1, 2}); err != nil {
			log.Fatal(err)
		}
	}
	if err := pool.StepAt(ctx, "call 1", 1, y, []float32{1, 2}); err != nil {
		log.Fatal(err)
	}
	for _, key := range []string{"call 1", "call 2"} {
		n, err := pool.Steps(key)
		fmt.Println(key, n, err)
	}
	// Output:
	// call 1 2 <nil>
	// call 2 1 <nil>
}

// A capsule takes a sequence from one pool to another, which may be on another
// machine.
func ExamplePool_Capsule() {
	here, err := live.New(gru(), live.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer here.Close()
	there, err := live.New(gru(), live.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer there.Close()
	y := make([]float32, 3)
	if err := here.Step(context.Background(), "a", y, []float32{1, 2}); err != nil {
		log.Fatal(err)
	}
	capsule, err := here.Capsule("a")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(there.Restore("a", capsule))
	fmt.Println(there.Restore("b", capsule[:len(capsule)-1]))
	// Output:
	// <nil>
	// sequence "b": live: not a whole capsule or snapshot: capsule: tensor "h": header byte 339: data_offsets end at byte 12, the file has 11 bytes of data
}

// Folder is a Store of one file a sequence. A database is one likewise: Load and
// Save are a get and a put of bytes.
type Folder string

// path has a name that every file system takes, whatever the bytes of a key, of
// which there can be 120.
func (f Folder) path(key string) string {
	return filepath.Join(string(f), "k"+hex.EncodeToString([]byte(key)))
}

// Load implements live.Store.
func (f Folder) Load(_ context.Context, key string) ([]byte, error) {
	b, err := os.ReadFile(f.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, live.ErrUnknown
	}
	return b, err
}

// Save implements live.Store: a new file is written, synced and renamed, so that
// there is always a whole one.
func (f Folder) Save(_ context.Context, key string, capsule []byte) error {
	file, err := os.CreateTemp(string(f), "new-*")
	if err != nil {
		return err
	}
	_, err = file.Write(capsule)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), f.path(key))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// Delete implements live.Store.
func (f Folder) Delete(_ context.Context, key string) error {
	err := os.Remove(f.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Keys implements live.Store.
func (f Folder) Keys(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		files, err := os.ReadDir(string(f))
		for _, file := range files {
			name, ours := strings.CutPrefix(file.Name(), "k")
			key, bad := hex.DecodeString(name)
			if ours && bad == nil && !yield(string(key), ctx.Err()) {
				return
			}
		}
		if err != nil {
			yield("", err)
		}
	}
}

// Sequences of a pool that ended go on in another, from a folder.
func ExampleStore() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, y := context.Background(), make([]float32, 3)
	for range 2 { // as if the program was started twice
		pool, err := live.New(gru(), live.Options{Store: Folder(dir)})
		if err != nil {
			log.Fatal(err)
		}
		if err := pool.Step(ctx, "sensor 7/left", y, []float32{1, 2}); err != nil {
			log.Fatal(err)
		}
		n, err := pool.Steps("sensor 7/left")
		fmt.Println(n, err)
		if err := pool.Close(); err != nil {
			log.Fatal(err)
		}
	}
	for key, err := range Folder(dir).Keys(ctx) {
		fmt.Println(key, err)
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
	// sensor 7/left <nil>
}
