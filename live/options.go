package live

import (
	"fmt"
	"runtime"
	"time"

	"github.com/unroll-ml/unroll"
)

// Options say how a pool runs; the zero value is ready.
type Options struct {
	// Shards is how many goroutines step; 0: as many as processors. At most 1024.
	Shards int
	// Rows is the most rows of a step; 0: 32. At most 4096.
	Rows int
	// Wait is how long a shard waits for more rows when fewer than Rows are due.
	// Waiting makes steps later, and seldom cheaper; 0: not at all.
	Wait time.Duration
	// Queue is the most steps that wait at a shard; 0: 4096. One more is ErrFull
	// at once. StepAll is not bound by it.
	Queue int
	// MaxSequences is the most sequences; 0: 1,048,576. One more is ErrFull.
	MaxSequences int
	// MaxBytes is the most bytes of all sequences: the state, the key and 200 each;
	// 0: 1 GiB. More is ErrFull.
	MaxBytes int64
	// Idle is how long after its last step a sequence ends; 0: never.
	Idle time.Duration
	// Ended, if not nil, is called after a sequence ended, without locks held.
	Ended func(key string, why Reason)
	// Strict lets only Open begin sequences: a step of another is an
	// ErrUnknown. Otherwise a step begins one from zeros.
	Strict bool
	// Refuse says what is done about a step with a NaN or an infinity, in the
	// input or in the new state, which is an ErrNonFinite in any case. True: the
	// sequence stays as it was. False: it is marked with the reason, its state is
	// let go, and its steps are ErrMarked until it is ended.
	Refuse bool
	// Snapshot, if not empty, is the path of a file of all sequences: New begins with
	// those that stand in it, and Close and every Every write it. See Pool.Snapshot.
	Snapshot string
	// Store, if not nil, keeps the sequences that are not in the pool: the first step
	// of a key loads its capsule, and Close, every Every, Idle and Unload save it.
	// End deletes it. Steps of a key that is not in the pool wait for it, Submit too.
	// It cannot be had beside Snapshot.
	Store Store
	// Every is how often states are written while the pool runs; 0: only at Close and
	// when Pool.Snapshot is called.
	Every time.Duration
	// StoreTimeout bounds the calls of Store that no caller's context bounds; 0: 10
	// seconds.
	StoreTimeout time.Duration
	// Foreign says what becomes of states made with other parameters.
	Foreign Foreign
	// Failed, if not nil, is told of errors of writing that no caller gets.
	Failed func(error)
	// Remember is how many ended keys are remembered with the reason, which later
	// errors have in Error.Ended; 0: 4096, below 0: none.
	Remember int
	// Now is the clock; nil: time.Now. Tests set it and call Sweep.
	Now func() time.Time
	// Metrics, if not nil, is told what happens.
	Metrics Metrics
}

// Reason says why a sequence ended.
type Reason string

// The reasons.
const (
	EndedByCall  Reason = "ended"
	EndedIdle    Reason = "idle"
	ModelChanged Reason = "model_changed" // by Swap, or Options.Foreign
	Stored       Reason = "stored"        // idle or unloaded, and in Options.Store
)

// Foreign says what becomes of states made with other parameters than the pool's:
// in a snapshot, a store or a capsule, and at Swap.
type Foreign int

const (
	// RefuseForeign means that a snapshot, a stored state or a capsule is an ErrForeign, and
	// stays where it is. At Swap the sequences end.
	RefuseForeign Foreign = iota
	// EndForeign means that sequences of a snapshot or a store end, with the reason
	// ModelChanged; a capsule is an ErrForeign.
	EndForeign
	// KeepForeign means that states go on where the signature is equal, and are else treated
	// as by RefuseForeign.
	KeepForeign
)

// Metrics is told what a pool does, by many goroutines at once; it must not call
// the pool. If it has a method Waited(d time.Duration, rows int) too, that is
// told how long the rows of a step were in line: rows of them for d.
type Metrics interface {
	// Stepped: a shard stepped rows sequences together in the time took.
	Stepped(rows int, took time.Duration)
	// Ended: a sequence ended.
	Ended(why Reason)
	// Rejected: a call was not answered, for one of the package's errors.
	Rejected(kind error)
}

// fill puts the defaults in and reports what cannot be.
func (o *Options) fill() error {
	for _, n := range []struct {
		name    string
		value   *int
		std, to int
	}{
		{"Shards", &o.Shards, min(runtime.GOMAXPROCS(0), 1024), 1024},
		{"Rows", &o.Rows, 32, 4096},
		{"Queue", &o.Queue, 4096, 1 << 24},
		{"MaxSequences", &o.MaxSequences, 1 << 20, 1 << 30},
	} {
		if *n.value == 0 {
			*n.value = n.std
		}
		if *n.value < 1 || *n.value > n.to {
			return &unroll.ArgError{Kind: unroll.ErrConfig, Arg: "Options." + n.name, Got: fmt.Sprint(*n.value), Want: fmt.Sprintf("1 to %d, or 0 for %d", n.to, n.std)}
		}
	}
	if o.Remember == 0 {
		o.Remember = 4096
	}
	if o.StoreTimeout == 0 {
		o.StoreTimeout = 10 * time.Second
	}
	if o.Snapshot != "" && o.Store != nil {
		return &unroll.ArgError{Kind: unroll.ErrConfig, Arg: "Options", Got: "Snapshot and Store", Want: "one of them"}
	}
	if o.Foreign < RefuseForeign || o.Foreign > KeepForeign {
		return &unroll.ArgError{Kind: unroll.ErrConfig, Arg: "Options.Foreign", Got: fmt.Sprint(int(o.Foreign)), Want: "RefuseForeign, EndForeign or KeepForeign"}
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	if o.MaxBytes < 0 || o.Idle < 0 || o.Wait < 0 || o.Every < 0 || o.StoreTimeout < 0 {
		return &unroll.ArgError{Kind: unroll.ErrConfig, Arg: "Options", Got: fmt.Sprintf("MaxBytes %d, Idle %v, Wait %v, Every %v, StoreTimeout %v", o.MaxBytes, o.Idle, o.Wait, o.Every, o.StoreTimeout), Want: "none below 0"}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}
