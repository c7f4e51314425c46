package task

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"strings"

	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/train/data"
)

// metadata is what config.json holds of a task, beside the network: each field
// is a key of its own.
type metadata struct {
	Task       string           `json:"task"`
	Vocabulary *data.Vocabulary `json:"vocabulary,omitempty"`
	Classes    []string         `json:"classes,omitempty"`
	Scaling    *data.Scaling    `json:"scaling,omitempty"`
	Forecast   *data.Forecast   `json:"forecast,omitempty"`
	Source     *source          `json:"source,omitempty"`
}

// source says how the file a model was trained on was read and cut, so that the
// part held out for the test can be found again.
type source struct {
	Valid float64 `json:"valid"` // shares; 1 or more: rows
	Test  float64 `json:"test"`
	Seed  uint64  `json:"seed"`           // of the draw, where items are drawn
	Rows  int     `json:"rows,omitempty"` // used of the file; 0: all
	Text  string  `json:"text,omitempty"` // names of the columns
	Label string  `json:"label,omitempty"`
	Loss  string  `json:"loss,omitempty"` // that was made small
	// ByClass says that the parts were drawn so that each has each class.
	ByClass bool `json:"by_class,omitempty"`
	// How the file was written, where that was said or had to be found.
	Header     string `json:"header,omitempty"` // "yes" or "no"
	Separator  string `json:"separator,omitempty"`
	Decimal    string `json:"decimal,omitempty"`
	TimeFormat string `json:"time_format,omitempty"`
	Gaps       string `json:"gaps,omitempty"`
	WordColumn int    `json:"word_column,omitempty"`
	TagColumn  int    `json:"tag_column,omitempty"`
}

func (c *Cut) source() *source { return &source{Valid: c.Valid, Test: c.Test, Seed: c.Seed} }

func (c *Cut) restore(s *source) {
	if s != nil {
		c.Valid, c.Test, c.Seed = s.Valid, s.Test, s.Seed
	}
}

// keys are the keys of config.json, each with a pointer to its field.
func (m *metadata) keys() map[string]any {
	keys := map[string]any{}
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		keys[key] = v.Field(i).Addr().Interface()
	}
	return keys
}

// Describe returns cfg with what t knows in its Meta, in the place of what
// another task left there; other keys stay.
func Describe(cfg nn.Config, t Task) (nn.Config, error) {
	m := t.metadata()
	m.Task = t.Kind().Name
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // tokens are for people too
	if err := e.Encode(m); err != nil {
		return cfg, err
	}
	var set map[string]json.RawMessage
	if err := json.Unmarshal(b.Bytes(), &set); err != nil {
		return cfg, err
	}
	cfg.Meta = maps.Clone(cfg.Meta)
	for key := range m.keys() {
		delete(cfg.Meta, key)
	}
	if cfg.Meta == nil {
		cfg.Meta = map[string]json.RawMessage{}
	}
	maps.Copy(cfg.Meta, set)
	return cfg, nil
}
