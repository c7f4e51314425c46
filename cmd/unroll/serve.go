//go:build !js && !noserve

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/internal/server"
	"github.com/unroll-ml/unroll/model"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	server.Options
	open                  model.Options
	batchFirst, timeFirst bool
	precision             string
	keep                  []string
	listen, grpc          string
	set, size             []string // NAME=NUMBER
	logFormat             string
	verbose               bool
}

func newServeCmd() *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve MODEL [NAME=MODEL...]",
		Short: "Serve models over HTTP and gRPC, with live sequences",
		Long: `serve answers requests to models over the Open Inference Protocol v2: REST with
JSON and binary tensors at http://127.0.0.1:8000/v2, gRPC with streams at
127.0.0.1:8001, as clients of KServe and Triton speak it. A sequence keeps its
state in the server: send a step at a time with the parameter sequence_id.

A MODEL is any file or folder that "unroll run" takes; clients call it NAME, or by
its file's name without the ending. http://127.0.0.1:8000/ is a page for people,
/metrics is for Prometheus. docs/serving.md tells the rest.

Only this machine is served, unless --listen says another address; then a
--token-file, or --tls-cert, --tls-key and --tls-client-ca, or --insecure is
needed. SIGHUP (not on Windows) opens the models anew. SIGINT and SIGTERM let what
is under way finish, write --snapshots, and end.`,
		Example: `  unroll serve examples/bach
  unroll serve vad=silero_vad.onnx --set sr=16000 --size "input[1]=576"
  unroll serve model --listen 0.0.0.0:8000 --token-file keys --snapshots states`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return serve(cmd, args, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8000", "address of HTTP, HOST:PORT; \"\": none")
	f.StringVar(&o.grpc, "grpc", "", "address of gRPC; without the flag the host of --listen and port 8001; \"none\": none")
	f.StringVar(&o.TokenFile, "token-file", "", "file of tokens, one a line, of which a request must have one")
	f.StringVar(&o.Cert, "tls-cert", "", "the server's certificate (PEM)")
	f.StringVar(&o.Key, "tls-key", "", "its key (PEM)")
	f.StringVar(&o.ClientCA, "tls-client-ca", "", "authorities whose clients are let in (PEM)")
	f.BoolVar(&o.Insecure, "insecure", false, "serve everybody who reaches an address beyond this machine")
	f.StringVar(&o.Snapshots, "snapshots", "", "folder for the states of sequences, which are read at the start and written at the end")
	f.DurationVar(&o.Every, "snapshot-every", 0, "also write them this often; 0: at the end alone")
	f.DurationVar(&o.Watch, "watch", 0, "look this often for new versions of the models' files; 0: SIGHUP alone")
	f.BoolVar(&o.KeepStates, "keep-states", false, "sequences go on in a new version with the same signature")
	f.DurationVar(&o.Grace, "grace", 10*time.Second, "how long requests under way may take at the end")
	f.DurationVar(&o.Delay, "drain-delay", 0, "say \"not ready\" for this long before the end, for balancers")
	f.IntVar(&o.Shards, "shards", 0, "goroutines that step sequences; 0: one a processor")
	f.IntVar(&o.Rows, "rows", 0, "most sequences stepped together; 0: 32")
	l := &o.Limits
	f.Int64Var(&l.Body, "max-body", 1<<20, "most bytes of a request")
	f.Int64Var(&l.Run, "max-run", 256<<20, "most bytes of the values of one run")
	f.IntVar(&l.Sequences, "max-sequences", 100_000, "most sequences of a model")
	f.Int64Var(&l.StateBytes, "max-state", 1<<30, "most bytes of a model's sequences")
	f.IntVar(&l.Queue, "max-queue", 4096, "most steps in line of a shard")
	f.IntVar(&l.Connections, "max-connections", 4096, "most connections of a port")
	f.Uint32Var(&l.Streams, "max-streams", 256, "most requests at once of a gRPC connection")
	f.DurationVar(&l.Idle, "idle", time.Minute, "end a sequence after this long without a step; below 0: never")
	f.StringVar(&o.open.Chain, "chain", "", "forward() of a PyTorch state dict, a line (docs/chain.md)")
	f.StringVar(&o.precision, "precision", "float32", precisionHelp)
	f.StringSliceVar(&o.keep, "keep", nil, keepHelp+"; of one of several models MODEL:PART")
	f.StringVar(&o.open.Prefix, "prefix", "", "which of several recurrent layers of a file of weights")
	f.BoolVar(&o.batchFirst, "batch-first", false, "batches of a file of weights are [B,T,I]")
	f.BoolVar(&o.timeFirst, "time-first", false, "batches of a file of weights are [T,B,I]")
	f.StringArrayVar(&o.set, "set", nil, "an input that stays as it is in every step of a sequence, NAME=NUMBER or MODEL:NAME=NUMBER, such as sr=16000; may be repeated")
	f.StringArrayVar(&o.size, "size", nil, "a size that a model leaves open in a step, NAME=N or MODEL:NAME=N, such as vad:input[1]=576; may be repeated")
	f.BoolVar(&o.Debug, "debug", false, "serve Go's profiles at /debug/pprof/")
	f.StringVar(&o.logFormat, "log", "text", "form of the log on stderr: text or json")
	f.BoolVar(&o.verbose, "verbose", false, "log refused requests too")
	groupFlags(cmd, "Where and for whom", "listen", "grpc", "token-file", "tls-cert", "tls-key", "tls-client-ca", "insecure")
	groupFlags(cmd, "Models", "chain", "prefix", "batch-first", "time-first", "precision", "keep", "set", "size", "watch", "keep-states")
	groupFlags(cmd, "Sequences", "idle", "shards", "rows", "snapshots", "snapshot-every")
	groupFlags(cmd, "Limits", "max-body", "max-run", "max-sequences", "max-state", "max-queue", "max-connections", "max-streams")
	groupFlags(cmd, "Ending and logs", "grace", "drain-delay", "log", "verbose", "debug")
	return cmd
}

// serve serves until a signal.
func serve(cmd *cobra.Command, args []string, o *serveOptions) error {
	if err := o.read(cmd, args); err != nil {
		return err
	}
	s, err := server.New(o.Options)
	if u := (*server.UnknownError)(nil); errors.As(err, &u) {
		what := map[string]string{"Set": "--set %s: no model has an input of that name; inputs are %q", "Sizes": "--size %s: no model leaves a size of that name open; open are %q"}
		return usagef(what[u.Field], visible(u.Name), u.Have)
	}
	if u := (*server.UnguardedError)(nil); errors.As(err, &u) {
		return fmt.Errorf("%s can be reached from other machines, and nothing guards it: add --token-file, or --tls-cert, --tls-key and --tls-client-ca, or --insecure", u.Addr)
	}
	if errors.Is(err, model.ErrAsk) {
		return asking(err)
	}
	if err != nil {
		return asFlags(err)
	}
	defer holdOn(cmd.Context())()
	onHangup(cmd.Context(), func() { _ = s.Reload() }) // which is logged
	return s.Run(cmd.Context(), func(http, grpc net.Addr) {
		if http != nil {
			o.Log.Info("listening", "http", schemed(o, http))
		}
		if grpc != nil {
			o.Log.Info("listening", "grpc", grpc.String())
		}
	})
}

func schemed(o *serveOptions, a net.Addr) string {
	if o.Cert != "" {
		return "https://" + a.String() + "/"
	}
	return "http://" + a.String() + "/"
}

// read makes the server's options of the flags.
func (o *serveOptions) read(cmd *cobra.Command, args []string) error {
	if o.batchFirst && o.timeFirst {
		return usagef("--batch-first and --time-first contradict each other")
	}
	switch {
	case o.batchFirst:
		o.open.Layout = model.BatchFirst
	case o.timeFirst:
		o.open.Layout = model.TimeFirst
	}
	var err error
	// What is kept is a model's own: see rows.
	if o.open.Precision, _, err = (runOptions{precision: o.precision, keep: o.keep}).weights(); err != nil {
		return err
	}
	o.open.States = true
	for _, arg := range args {
		if err := notStream("MODEL", arg); err != nil {
			return err
		}
		src := server.Source{Path: arg, Open: o.open}
		if name, path, ok := strings.Cut(arg, "="); ok && !strings.ContainsAny(name, `/\`) {
			src.Name, src.Path = name, path
		}
		if src.Path == "" {
			return usagef("MODEL is %q, expected a file or folder, or NAME=MODEL", arg)
		}
		o.Models = append(o.Models, src)
	}
	if err := o.rows(); err != nil {
		return err
	}
	o.HTTP, o.GRPC = o.listen, o.grpc
	if o.grpc == "none" {
		o.GRPC = ""
	} else if o.grpc == "" {
		host := "127.0.0.1"
		if o.listen != "" {
			var err error
			if host, _, err = net.SplitHostPort(o.listen); err != nil {
				return usagef("--listen: got %q, expected HOST:PORT", o.listen)
			}
		}
		o.GRPC = net.JoinHostPort(host, "8001")
	}
	for _, at := range [][2]string{{"listen", o.HTTP}, {"grpc", o.GRPC}} {
		flag, addr := at[0], at[1]
		if addr == "" {
			continue
		}
		_, port, err := net.SplitHostPort(addr)
		if _, e := net.LookupPort("tcp", port); err != nil || e != nil {
			return usagef("--%s: got %q, expected HOST:PORT", flag, addr)
		}
	}
	switch {
	case (o.Cert == "") != (o.Key == ""):
		return usagef("--tls-cert and --tls-key belong together: give both")
	case o.ClientCA != "" && o.Cert == "":
		return usagef("--tls-client-ca asks for clients' certificates, and the server has none of its own: give --tls-cert and --tls-key too")
	}
	o.Version = readVersion().Version
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	opt := &slog.HandlerOptions{Level: level}
	switch o.logFormat {
	case "text":
		o.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), opt))
	case "json":
		o.Log = slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), opt))
	default:
		return usagef("--log is %q, expected text or json", o.logFormat)
	}
	return nil
}

// rows gives the models what --set and --size say: of those with MODEL: before the
// name, one model, and else all.
func (o *serveOptions) rows() error {
	names := make([]string, len(o.Models))
	for i := range o.Models {
		var err error
		if names[i], err = o.Models[i].Called(); err != nil {
			return usageError{err}
		}
		o.Models[i].Rows = model.RowsOptions{Set: map[string]model.Value{}, Sizes: map[string]int{}}
	}
	// of is the model that a name is said for, -1: all.
	of := func(name string) (int, string) {
		if before, rest, cut := strings.Cut(name, ":"); cut {
			if i := slices.Index(names, before); i >= 0 {
				return i, rest
			}
		}
		return -1, name
	}
	for _, part := range o.keep {
		one, part := of(part)
		for i := range o.Models {
			if open := &o.Models[i].Open; one < 0 || one == i {
				open.Keep = append(slices.Clip(open.Keep), part)
			}
		}
	}
	each := func(flag string, args []string, take func(r *model.RowsOptions, name, text string) error) error {
		for _, arg := range args {
			name, text, ok := strings.Cut(arg, "=")
			of, name := of(name)
			for i := range o.Models {
				if ok && (of < 0 || of == i) && take(&o.Models[i].Rows, name, text) != nil {
					ok = false
				}
			}
			if !ok {
				return usagef("--%s is %q, expected NAME=NUMBER or MODEL:NAME=NUMBER", flag, arg)
			}
		}
		return nil
	}
	if err := each("set", o.set, setNumber); err != nil {
		return err
	}
	return each("size", o.size, func(r *model.RowsOptions, name, text string) (err error) {
		r.Sizes[name], err = strconv.Atoi(text)
		return err
	})
}

// setNumber sets an input, to an integer where the text is one.
func setNumber(r *model.RowsOptions, name, text string) error {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		r.Set[name], err = model.Of([]int64{n})
		return err
	}
	x, err := strconv.ParseFloat(text, 32)
	if err != nil {
		return err
	}
	r.Set[name], err = model.Of([]float32{float32(x)})
	return err
}

// onHangup calls f for each SIGHUP until ctx ends.
func onHangup(ctx context.Context, f func()) {
	signals := hangups()
	if signals == nil {
		return
	}
	go func() {
		for {
			select {
			case <-signals:
				f()
			case <-ctx.Done():
				return
			}
		}
	}()
}
