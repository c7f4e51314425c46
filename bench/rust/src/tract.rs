//! tract peer: the ONNX file, optimised for the workload's shapes; one thread.
mod workload;
use tract_onnx::prelude::*;
use workload::{serve, skip, Case};

const VERSION: &str = "0.23.9"; // Cargo.toml

fn main() -> TractResult<()> {
    let args: Vec<String> = std::env::args().collect();
    if args[3] != "1" {
        skip("one thread only");
    }
    let c = Case::load(&args[1], &args[2]);
    if c.mode != "fwd" {
        skip("inference only");
    }
    let lstm = c.kind == "lstm";
    let input = [c.steps, c.batch, c.inputs];
    let state = [c.layers * c.directions, c.batch, c.hidden];
    let mut model = tract_onnx::onnx()
        .model_for_path(format!("{}/{}.onnx", args[1], args[2]))?
        .with_input_fact(0, f32::fact(input).into())?
        .with_input_fact(1, f32::fact(state).into())?;
    if lstm {
        model = model.with_input_fact(2, f32::fact(state).into())?;
    }
    let plan = model.into_optimized()?.into_runnable()?;
    let tensor = |name: &str, s: [usize; 3]| -> TractResult<TValue> {
        let t: Tensor = tract_ndarray::Array3::from_shape_vec((s[0], s[1], s[2]), c.values(name))?.into();
        Ok(t.into())
    };
    let mut given: TVec<TValue> = tvec!(tensor("x", input)?, tensor("h0", state)?);
    if lstm {
        given.push(tensor("c0", state)?);
    }
    let y = plan.run(given.clone())?[0].to_plain_array_view::<f32>()?.iter().cloned().collect::<Vec<f32>>();
    serve(c.error(&y), VERSION, || {
        let out = plan.run(given.clone()).expect("a run");
        if c.carry {
            let last = given.len();
            given[1..last].clone_from_slice(&out[1..last]);
        }
    });
    Ok(())
}
