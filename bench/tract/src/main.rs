//! Runs an ONNX file with tract, for bench/py/gauntlet.py.
//!
//!     tract-gauntlet MODEL FOLDER
//!
//! FOLDER/inputs.txt has a line for each input: its type and sizes, of numbers in
//! FOLDER/in0.bin and so on. Outputs are written beside as out0.bin, float32. Then it
//! says "ready" with the milliseconds to open and optimise the model, and for each
//! line "run N" the nanoseconds that N runs took, of CPU time and of the clock.
use std::io::{BufRead, Write};
use std::time::Instant;
use tract_onnx::prelude::*;
use tract_ndarray::{ArrayD, IxDyn};

fn numbers<T, const N: usize>(raw: &[u8], f: impl Fn([u8; N]) -> T) -> Vec<T> {
    raw.chunks_exact(N).map(|b| f(b.try_into().unwrap())).collect()
}

fn tensor(kind: &str, shape: &[usize], raw: &[u8]) -> TractResult<Tensor> {
    let s = IxDyn(shape);
    Ok(match kind {
        "float32" => ArrayD::from_shape_vec(s, numbers(raw, f32::from_le_bytes))?.into(),
        "int64" => ArrayD::from_shape_vec(s, numbers(raw, i64::from_le_bytes))?.into(),
        "int32" => ArrayD::from_shape_vec(s, numbers(raw, i32::from_le_bytes))?.into(),
        "bool" => ArrayD::from_shape_vec(s, raw.iter().map(|b| *b != 0).collect())?.into(),
        _ => panic!("inputs of type {kind}"),
    })
}

fn cpu_ns() -> u128 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    t.tv_sec as u128 * 1_000_000_000 + t.tv_nsec as u128
}

fn main() -> TractResult<()> {
    let args: Vec<String> = std::env::args().collect();
    let (path, folder) = (&args[1], &args[2]);
    let mut inputs: TVec<TValue> = tvec!();
    for (i, line) in std::fs::read_to_string(format!("{folder}/inputs.txt"))?.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let shape: Vec<usize> = words[1..].iter().map(|w| w.parse().unwrap()).collect();
        let raw = std::fs::read(format!("{folder}/in{i}.bin"))?;
        inputs.push(tensor(words[0], &shape, &raw)?.into());
    }
    let start = Instant::now();
    let mut model = tract_onnx::onnx().model_for_path(path)?;
    for (i, x) in inputs.iter().enumerate() {
        model = model.with_input_fact(i, InferenceFact::dt_shape(x.datum_type(), x.shape()))?;
    }
    let plan = model.into_optimized()?.into_runnable()?;
    let opened = start.elapsed().as_secs_f64() * 1e3;
    for (i, y) in plan.run(inputs.clone())?.iter().enumerate() {
        let y = y.cast_to::<f32>()?;
        let raw: Vec<u8> = y.to_plain_array_view::<f32>()?.iter().flat_map(|v| v.to_le_bytes()).collect();
        std::fs::write(format!("{folder}/out{i}.bin"), raw)?;
    }
    println!("ready {opened:.3}");
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let Some(n) = line.strip_prefix("run ") else { break };
        let n: u64 = n.trim().parse()?;
        let (cpu, clock) = (cpu_ns(), Instant::now());
        for _ in 0..n {
            plan.run(inputs.clone())?;
        }
        println!("{} {}", cpu_ns() - cpu, clock.elapsed().as_nanos());
        std::io::stdout().flush()?;
    }
    Ok(())
}
