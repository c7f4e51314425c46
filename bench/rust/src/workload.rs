//! The workload's data files and the worker protocol of py/worker.py.
use std::collections::HashMap;
use std::io::BufRead;
use std::time::Instant;

/// A workload: its shape and its float32 tensors by name.
#[derive(Default)]
pub struct Case {
    pub kind: String,
    pub mode: String,
    pub inputs: usize,
    pub hidden: usize,
    pub layers: usize,
    pub steps: usize,
    pub batch: usize,
    pub directions: usize,
    pub carry: bool,
    pub tensors: HashMap<String, Vec<f32>>,
}

/// Ends the process: this peer does not run the workload.
pub fn skip(why: &str) -> ! {
    println!("skip {why}");
    std::process::exit(0)
}

impl Case {
    /// Loads the case that DATA WORKLOAD of the command line name.
    pub fn load(data: &str, name: &str) -> Case {
        let (Ok(meta), Ok(raw)) = (
            std::fs::read_to_string(format!("{data}/{name}.meta")),
            std::fs::read(format!("{data}/{name}.bin")),
        ) else {
            skip("no data file for this workload")
        };
        let mut c = Case::default();
        for line in meta.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |i: usize| words[i].parse::<usize>().expect("a number");
            match words[0] {
                "kind" => c.kind = words[1].into(),
                "mode" => c.mode = words[1].into(),
                "I" => c.inputs = number(1),
                "H" => c.hidden = number(1),
                "L" => c.layers = number(1),
                "T" => c.steps = number(1),
                "B" => c.batch = number(1),
                "D" => c.directions = number(1),
                "carry" => c.carry = number(1) == 1,
                "tensor" => {
                    let (from, count) = (4 * number(2), 4 * number(3));
                    let values = raw[from..from + count].chunks_exact(4);
                    let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                    c.tensors.insert(words[1].into(), values.collect());
                }
                _ => {}
            }
        }
        c
    }

    /// Values of a named tensor.
    pub fn values(&self, name: &str) -> Vec<f32> {
        self.tensors[name].clone()
    }

    /// The largest difference of y from the reference output.
    pub fn error(&self, y: &[f32]) -> f32 {
        let want = &self.tensors["y"];
        assert_eq!(y.len(), want.len());
        y.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0., f32::max)
    }
}

/// Says that the peer is ready and times calls until it is told to end.
pub fn serve(error: f32, version: &str, mut call: impl FnMut()) {
    println!("ready {{\"err\": {error:e}, \"version\": \"{version}\"}}");
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap_or_default();
        let Some(n) = line.strip_prefix("run ").and_then(|n| n.parse::<u64>().ok()) else { return };
        let start = Instant::now();
        for _ in 0..n {
            call()
        }
        println!("{}", start.elapsed().as_nanos());
    }
}
