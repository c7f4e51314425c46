//go:build !linux

package kernel

import "sync/atomic"

// parking is how a helper parks.
type parking struct{ wake chan struct{} }

func (p *parking) init()   { p.wake = make(chan struct{}, 1) }
func (p *parking) settle() {}

// park returns when state is another than away.
func (p *parking) park(*atomic.Uint32) { <-p.wake }

func (p *parking) prepare() {}

// rouse ends a park, after the state was changed.
func (p *parking) rouse(*atomic.Uint32) { p.wake <- struct{}{} }
