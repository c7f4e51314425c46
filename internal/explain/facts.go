package explain

// facts are what a page must know of a model and its run: it knows no cell.
func (t *Trace) facts() map[string]any {
	type param struct {
		Name  string `json:"name"`
		Shape []int  `json:"shape"`
	}
	var params []param
	for _, p := range t.Layer.Params() {
		params = append(params, param{p.Name, p.Value.Shape})
	}
	c := t.cells[0]
	return map[string]any{
		"config": t.cfg, "steps": t.Steps(), "params": params,
		"gates":    t.Layer.Gates(),
		"cell":     t.cfg.HasCell(),
		"reversed": t.cfg.Variant.Reverse, // the only direction goes back through time
		"bounded":  c.bounded(t.cfg),      // one scale of colours fits h
		"idea":     t.Idea(),
		"block":    t.block(),
	}
}
