//! candle peer: its LSTM and GRU, one direction, forward.
mod workload;
use candle_core::{DType, Device, IndexOp, Result, Tensor};
use candle_nn::rnn::{gru, lstm, GRUConfig, GRUState, LSTMConfig, LSTMState, GRU, LSTM, RNN};
use candle_nn::VarBuilder;
use std::collections::HashMap;
use workload::{serve, skip, Case};

const VERSION: &str = "0.11.1"; // Cargo.toml

enum Layer {
    Lstm(LSTM),
    Gru(GRU),
}

/// A layer with the h and c that a call begins with.
struct Part {
    layer: Layer,
    h: Tensor,
    c: Tensor,
}

impl Part {
    fn new(case: &Case, n: usize, dev: &Device) -> Result<Part> {
        let is_lstm = case.kind == "lstm";
        let (gates, inputs) = (if is_lstm { 4 } else { 3 }, if n == 0 { case.inputs } else { case.hidden });
        let rows = gates * case.hidden;
        let mut named = HashMap::new();
        for (short, long) in [("w_ih", "weight_ih_l0"), ("w_hh", "weight_hh_l0"), ("b_ih", "bias_ih_l0"), ("b_hh", "bias_hh_l0")] {
            let values = case.values(&format!("{short}.{n}.0"));
            let t = match short {
                "w_ih" => Tensor::from_vec(values, (rows, inputs), dev)?,
                "w_hh" => Tensor::from_vec(values, (rows, case.hidden), dev)?,
                _ => Tensor::from_vec(values, rows, dev)?,
            };
            named.insert(long.to_string(), t);
        }
        let vb = VarBuilder::from_tensors(named, DType::F32, dev);
        let layer = if is_lstm {
            Layer::Lstm(lstm(inputs, case.hidden, LSTMConfig::default(), vb)?)
        } else {
            Layer::Gru(gru(inputs, case.hidden, GRUConfig::default(), vb)?)
        };
        let state = |name: &str| {
            Tensor::from_vec(case.values(name), (case.layers, case.batch, case.hidden), dev)?.i(n)?.contiguous()
        };
        let h = state("h0")?;
        let c = if is_lstm { state("c0")? } else { h.clone() };
        Ok(Part { layer, h, c })
    }

    /// One sequence [B,T,I]; its output [B,T,H].
    fn run(&mut self, x: &Tensor, carry: bool) -> Result<Tensor> {
        match &self.layer {
            Layer::Lstm(net) => {
                let states = net.seq_init(x, &LSTMState { h: self.h.clone(), c: self.c.clone() })?;
                if let (true, Some(last)) = (carry, states.last()) {
                    (self.h, self.c) = (last.h.clone(), last.c.clone());
                }
                net.states_to_tensor(&states)
            }
            Layer::Gru(net) => {
                let states = net.seq_init(x, &GRUState { h: self.h.clone() })?;
                if let (true, Some(last)) = (carry, states.last()) {
                    self.h = last.h.clone();
                }
                net.states_to_tensor(&states)
            }
        }
    }
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    std::env::set_var("RAYON_NUM_THREADS", &args[3]);
    let case = Case::load(&args[1], &args[2]);
    if case.mode != "fwd" || case.kind == "rnn" || case.directions == 2 {
        skip("candle has no such layer");
    }
    let dev = Device::Cpu;
    let mut parts = (0..case.layers).map(|n| Part::new(&case, n, &dev)).collect::<Result<Vec<_>>>()?;
    let x = Tensor::from_vec(case.values("x"), (case.steps, case.batch, case.inputs), &dev)?;
    let x = x.transpose(0, 1)?.contiguous()?;
    let mut forward = |carry: bool| -> Result<Tensor> {
        let mut y = x.clone();
        for part in parts.iter_mut() {
            y = part.run(&y, carry)?;
        }
        Ok(y)
    };
    let y = forward(false)?.transpose(0, 1)?.contiguous()?.flatten_all()?.to_vec1::<f32>()?;
    serve(case.error(&y), VERSION, || {
        forward(case.carry).expect("a run");
    });
    Ok(())
}
