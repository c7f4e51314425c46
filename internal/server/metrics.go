package server

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/unroll-ml/unroll/live"
)

// metrics are the numbers at /metrics, in base units. Every label has few values:
// names of models that are served, protocols, reasons.
type metrics struct {
	registry *prometheus.Registry
	steps    *prometheus.CounterVec
	requests *prometheus.HistogramVec
	batch    *prometheus.HistogramVec
	ended    *prometheus.CounterVec
	rejected *prometheus.CounterVec
	bad      *prometheus.CounterVec
	swaps    *prometheus.CounterVec
}

func newMetrics(s *Server) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	times := make([]float64, len(waits{}.counts)-1)
	for i := range times {
		times[i] = waitBucket(i).Seconds()
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		m.registry.MustRegister(h)
		return h
	}
	m.steps = counter("unroll_steps_total", "Steps of sequences that were made.", "model")
	m.requests = histogram("unroll_request_duration_seconds", "Time from a decoded request to its answer.", times, "model", "result")
	m.batch = histogram("unroll_batch_rows", "Sequences that were stepped together.", prometheus.ExponentialBuckets(1, 2, 8), "model")
	m.ended = counter("unroll_sequences_ended_total", "Sequences that ended.", "model", "reason")
	m.rejected = counter("unroll_rejected_total", "Requests that were not answered.", "model", "reason")
	m.bad = counter("unroll_nonfinite_total", "Steps with a number that is not finite.", "model")
	m.swaps = counter("unroll_swaps_total", "Versions of models that were opened after the first.", "model", "result")
	m.registry.MustRegister(&gauges{server: s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// gauges are read from the pools when they are asked for.
type gauges struct{ server *Server }

var (
	gaugeSequences = prometheus.NewDesc("unroll_sequences", "Sequences that are there.", []string{"model"}, nil)
	gaugeBytes     = prometheus.NewDesc("unroll_state_bytes", "Bytes of all sequences.", []string{"model"}, nil)
	gaugeWaiting   = prometheus.NewDesc("unroll_waiting_steps", "Steps in line.", []string{"model"}, nil)
	queueTime      = prometheus.NewDesc("unroll_queue_duration_seconds", "Time that a step waited in line.", []string{"model"}, nil)
	gaugeSnapshot  = prometheus.NewDesc("unroll_snapshot_age_seconds", "Time since all states were written.", []string{"model"}, nil)
)

// Describe implements prometheus.Collector.
func (g *gauges) Describe(c chan<- *prometheus.Desc) { prometheus.DescribeByCollect(g, c) }

// Collect implements prometheus.Collector.
func (g *gauges) Collect(c chan<- prometheus.Metric) {
	for _, name := range g.server.names {
		h := g.server.hosts[name]
		if h == nil || h.pool == nil {
			continue
		}
		st := h.pool.Stats()
		gauge := func(d *prometheus.Desc, v float64) {
			c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, name)
		}
		gauge(gaugeSequences, float64(st.Sequences))
		gauge(gaugeBytes, float64(st.Bytes))
		gauge(gaugeWaiting, float64(st.Waiting))
		n, sum, buckets := h.meter.queue.read()
		c <- prometheus.MustNewConstHistogram(queueTime, n, sum, buckets, name)
		if !st.Snapshot.IsZero() {
			gauge(gaugeSnapshot, st.Age.Seconds())
		}
	}
}

// meter is a model's share of the metrics; its labels are looked up once. It is
// the pool's live.Metrics.
type meter struct {
	model      string
	all        *metrics
	steps, bad prometheus.Counter
	batch      prometheus.Observer
	queue      waits
	good, ill  prometheus.Observer
	recent     recent
}

func (m *metrics) of(model string) *meter {
	return &meter{
		model: model, all: m, steps: m.steps.WithLabelValues(model), bad: m.bad.WithLabelValues(model),
		batch: m.batch.WithLabelValues(model),
		good:  m.requests.WithLabelValues(model, "ok"), ill: m.requests.WithLabelValues(model, "error"),
	}
}

// Stepped implements live.Metrics.
func (m *meter) Stepped(rows int, _ time.Duration) {
	m.steps.Add(float64(rows))
	m.batch.Observe(float64(rows))
}

// Waited is told by a pool how long rows were in line.
func (m *meter) Waited(d time.Duration, rows int) { m.queue.add(d, rows) }

// Ended implements live.Metrics.
func (m *meter) Ended(why live.Reason) { m.all.ended.WithLabelValues(m.model, string(why)).Inc() }

// Rejected implements live.Metrics.
func (m *meter) Rejected(kind error) {
	if errors.Is(kind, live.ErrNonFinite) {
		m.bad.Inc()
	}
}

// answered counts a request.
func (m *meter) answered(took time.Duration, err error) {
	if err == nil {
		m.good.Observe(took.Seconds())
		m.recent.add(took)
		return
	}
	m.ill.Observe(took.Seconds())
	m.all.rejected.WithLabelValues(m.model, failed(err).reason).Inc()
}

// recent are the durations of the last requests, for the page.
type recent struct {
	next  atomic.Uint64
	times [1024]atomic.Int64
}

func (r *recent) add(d time.Duration) {
	r.times[r.next.Add(1)%uint64(len(r.times))].Store(int64(d))
}

// list returns them in any order.
func (r *recent) list() []time.Duration {
	var all []time.Duration
	for i := range r.times {
		if d := r.times[i].Load(); d > 0 {
			all = append(all, time.Duration(d))
		}
	}
	return all
}
