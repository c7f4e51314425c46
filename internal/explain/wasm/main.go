//go:build js && wasm

// Command wasm is the engine of the page: it answers a worker's messages with
// explain.Session. build.sh makes ../assets/engine.wasm.gz of it.
package main

import (
	"encoding/json"
	"syscall/js"
	"time"

	"github.com/unroll-ml/unroll/internal/explain"
)

func main() {
	s := &explain.Session{}
	var last time.Time
	s.Pause = func(w explain.Work) {
		if now := time.Now(); now.Sub(last) > 20*time.Millisecond {
			last = now
			js.Global().Call("progress", w.Done, w.Opening, w.Layer, w.Step)
			time.Sleep(time.Millisecond) // lets messages in
		}
	}
	js.Global().Set("engine", js.FuncOf(func(_ js.Value, args []js.Value) any {
		id, cmd, text := args[0].Int(), args[1].String(), args[2].String()
		var block []byte
		if b := args[3]; !b.IsNull() && !b.IsUndefined() {
			block = make([]byte, b.Length())
			js.CopyBytesToGo(block, b)
		}
		go answer(s, id, cmd, text, block)
		return nil
	}))
	js.Global().Call("ready")
	select {}
}

func answer(s *explain.Session, id int, cmd, args string, block []byte) {
	reply, out, err := s.Do(cmd, []byte(args), block)
	if err != nil {
		js.Global().Call("answer", id, nil, nil, err.Error())
		return
	}
	text, err := json.Marshal(reply)
	if err != nil {
		js.Global().Call("answer", id, nil, nil, err.Error())
		return
	}
	b := js.Null()
	if out != nil {
		b = js.Global().Get("Uint8Array").New(len(out))
		js.CopyBytesToJS(b, out)
	}
	js.Global().Call("answer", id, string(text), b, nil)
}
