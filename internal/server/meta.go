package server

import (
	"math"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/unroll-ml/unroll/model"
)

// extensions are what the server speaks beyond the protocol, by Triton's names
// where it has them.
var extensions = []string{
	"binary_tensor_data", "sequence", "sequence(string_id)", "model_ready",
	"unroll.sequence_rows", "unroll.sequence_step", "unroll.carried_state", "unroll.sequence_state", "unroll.predict",
}

// port is an input or output in metadata.
type port struct {
	Name     string  `json:"name"`
	Datatype string  `json:"datatype"`
	Shape    []int64 `json:"shape"`
}

func portsOf(list []model.Port) []port {
	all := make([]port, len(list))
	for i, p := range list {
		all[i] = port{p.Name, datatypeOf(p.Type), make([]int64, len(p.Shape))}
		for k, d := range p.Shape {
			n, err := strconv.ParseInt(d, 10, 64)
			if err != nil {
				n = -1
			}
			all[i].Shape[k] = n
		}
	}
	return all
}

// properties are what else there is to know of a model.
func (h *host) properties(v *version) map[string]string {
	p := map[string]string{"format": v.model.Format(), "sequences": strconv.FormatBool(v.step != nil)}
	if v.step != nil {
		p["signature"], p["digest"] = v.step.target.Signature(), v.step.target.Digest()
		p["step"] = v.step.String()
		p["explain"] = strconv.FormatBool(h.hidden(v) == "")
	}
	if v.task != nil {
		p["task"] = v.task.Kind().Name
	}
	return p
}

// hidden says why the steps of a model with sequences cannot be looked into, or "".
func (h *host) hidden(v *version) string {
	switch {
	case h.source.Open.Precision != 0:
		return "is served in " + h.source.Open.Precision.String() + "; what is explained is computed in float32"
	case v.step.layer == nil && v.step.rows.Set == nil:
		return "has no state of recurrent layers from step to step: each step runs over the last inputs; explain it on those"
	}
	return ""
}

func (s *Server) getLive(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]bool{"live": true})
}

func (s *Server) getReady(w http.ResponseWriter, _ *http.Request) {
	code := http.StatusOK
	if !s.ready.Load() {
		code = http.StatusServiceUnavailable
	}
	reply(w, code, map[string]bool{"ready": s.ready.Load()})
}

func (s *Server) getServer(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"name": "unroll", "version": s.opt.Version, "extensions": extensions})
}

func (s *Server) getModel(w http.ResponseWriter, r *http.Request) {
	h, v, f := s.host(r.PathValue("model"), r.PathValue("version"))
	if f != nil {
		s.refuse(w, r, f)
		return
	}
	defer v.release()
	reply(w, http.StatusOK, map[string]any{
		"name": h.name, "versions": []string{v.name}, "platform": "unroll_" + v.model.Format(),
		"inputs": portsOf(v.model.Inputs()), "outputs": portsOf(v.model.Outputs()), "properties": h.properties(v),
	})
}

func (s *Server) getModelReady(w http.ResponseWriter, r *http.Request) {
	h, v, f := s.host(r.PathValue("model"), r.PathValue("version"))
	if f != nil {
		s.refuse(w, r, f)
		return
	}
	v.release()
	code := http.StatusOK
	if !s.ready.Load() {
		code = http.StatusServiceUnavailable
	}
	reply(w, code, map[string]any{"name": h.name, "ready": s.ready.Load()})
}

// modelStatus is a model in the answer of /v2/status.
type modelStatus struct {
	Name       string            `json:"name"`
	Version    string            `json:"version"`
	Opened     time.Time         `json:"opened"`
	Inputs     []port            `json:"inputs"`
	Outputs    []port            `json:"outputs"`
	Properties map[string]string `json:"properties"`
	Sequences  int               `json:"sequences"`
	StateBytes int64             `json:"state_bytes"`
	Waiting    int               `json:"waiting"`
	Steps      uint64            `json:"steps"`
	Answered   uint64            `json:"answered"`
	P50        float64           `json:"p50_seconds"` // of the last 1,024 answers
	P99        float64           `json:"p99_seconds"`
}

// getStatus answers with numbers of now, for the page.
func (s *Server) getStatus(w http.ResponseWriter, _ *http.Request) {
	var all []modelStatus
	for _, name := range s.names {
		h := s.hosts[name]
		v := h.use()
		m := modelStatus{Name: name, Version: v.name, Opened: v.opened, Inputs: portsOf(v.model.Inputs()), Outputs: portsOf(v.model.Outputs()), Properties: h.properties(v)}
		v.release()
		if h.pool != nil {
			st := h.pool.Stats()
			m.Sequences, m.StateBytes, m.Waiting, m.Steps = st.Sequences, st.Bytes, st.Waiting, st.Steps
		}
		m.Answered = h.meter.recent.next.Load()
		times := h.meter.recent.list()
		slices.Sort(times)
		m.P50, m.P99 = quantile(times, 0.5), quantile(times, 0.99)
		all = append(all, m)
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	reply(w, http.StatusOK, map[string]any{
		"ready": s.ready.Load(), "version": s.opt.Version, "uptime_seconds": time.Since(s.began).Seconds(),
		"memory_bytes": mem.Sys - mem.HeapReleased, "models": all,
	})
}

func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)].Seconds()
}
