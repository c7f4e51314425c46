// Runs models with ONNX Runtime: node ort.js FOLDER/node_modules MODEL...
// Beside each MODEL stands MODEL.in.safetensors; MODEL.out.safetensors is written.
const fs = require("fs");
const path = require("path");
const ort = require(path.join(process.argv[2], "onnxruntime-node"));

function read(file) {
  const b = fs.readFileSync(file);
  const n = Number(b.readBigUInt64LE(0));
  const header = JSON.parse(b.subarray(8, 8 + n).toString());
  const feeds = {};
  for (const [name, t] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const raw = b.subarray(8 + n + t.data_offsets[0], 8 + n + t.data_offsets[1]);
    const data = raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length);
    feeds[name] = t.dtype === "I64"
      ? new ort.Tensor("int64", new BigInt64Array(data), t.shape)
      : new ort.Tensor("float32", new Float32Array(data), t.shape);
  }
  return feeds;
}

function write(file, results) {
  const header = { __metadata__: { config: "{}" } };
  const parts = [];
  let at = 0;
  for (const [name, t] of Object.entries(results)) {
    const raw = Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength);
    header[name] = { dtype: "F32", shape: t.dims, data_offsets: [at, at + raw.length] };
    parts.push(raw);
    at += raw.length;
  }
  let text = Buffer.from(JSON.stringify(header));
  text = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, " ")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  fs.writeFileSync(file, Buffer.concat([length, text, ...parts]));
}

(async () => {
  console.log("ONNX Runtime " + ort.env.versions.node);
  for (const model of process.argv.slice(3)) {
    try {
      const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 });
      write(model + ".out.safetensors", await session.run(read(model + ".in.safetensors")));
    } catch (e) {
      console.error(`${model}: ${e.message}`);
      process.exitCode = 1;
    }
  }
})();
