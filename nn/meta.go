package nn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// plainConfig is a Config without its methods: its own keys alone.
type plainConfig Config

// ownKeys are the keys of config.json that are the model's.
var ownKeys = func() (keys []string) {
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		if key, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}()

// own reports whether a key is the model's, as encoding/json matches keys.
func own(key string) bool {
	return slices.ContainsFunc(ownKeys, func(k string) bool { return strings.EqualFold(k, key) })
}

// MarshalJSON writes the model's own keys and then those of Meta in sorted
// order. It is an ErrConfig if Meta has a key of the model's.
func (c Config) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(plainConfig(c)); err != nil {
		return nil, err
	}
	b.Truncate(bytes.LastIndexByte(b.Bytes(), '}'))
	for _, key := range slices.Sorted(maps.Keys(c.Meta)) {
		if own(key) {
			return nil, badConfig("Meta", fmt.Sprintf("a map with key %q", key), "keys that are not the model's own")
		}
		name, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		b.WriteByte(',') // rnn and out_features stand before in every case
		b.Write(name)
		b.WriteByte(':')
		b.Write(c.Meta[key])
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads the model's own keys and puts all others into Meta.
func (c *Config) UnmarshalJSON(data []byte) error {
	var p plainConfig
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	if err := json.Unmarshal(data, &p.Meta); err != nil {
		return err
	}
	maps.DeleteFunc(p.Meta, func(key string, _ json.RawMessage) bool { return own(key) })
	if len(p.Meta) == 0 {
		p.Meta = nil
	}
	*c = Config(p)
	return nil
}
