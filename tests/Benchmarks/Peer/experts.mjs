// Decoding of llama.cpp with a mapped model, in a process of its own; the twin of ExpertMeasurement.cs.
// node experts.mjs MODEL THREADS WARM TOKENS
import { readFileSync } from "node:fs";
import { getLlama } from "node-llama-cpp";

const [path, threadsText, warmText, tokensText] = process.argv.slice(2);
const [threads, warm, tokens] = [threadsText, warmText, tokensText].map(Number);
const prompt = 64;
const vocabulary = 151936;
const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads, progressLogs: false, logLevel: "error" });
const started = performance.now();
const model = await llama.loadModel({ modelPath: path, gpuLayers: 0, useMmap: true, ignoreMemorySafetyChecks: true });
const context = await model.createContext({ contextSize: 1024, batchSize: prompt, sequences: 1, threads, flashAttention: false, ignoreMemorySafetyChecks: true });
const load = performance.now() - started;
const native = context._ctx;
native.setThreads(threads);
let position = 0;
async function step(count) {
  native.initBatch(count);
  native.addToBatch(0, position, Uint32Array.from({ length: count }, (_, i) => ((position + i) * 7919) % vocabulary), Uint32Array.of(count - 1));
  await native.decodeBatch();
  position += count;
}
await step(prompt);
for (let i = 0; i < warm; i++)
  await step(1);
const majorFaults = () => Number(readFileSync("/proc/self/stat", "utf8").split(") ")[1].split(" ")[9]);
const faults = majorFaults();
const start = performance.now();
for (let i = 0; i < tokens; i++)
  await step(1);
const seconds = (performance.now() - start) / 1000;
const status = readFileSync("/proc/self/status", "utf8");
console.log(JSON.stringify({
  load_ms: load, decode: tokens / seconds, ms_per_token: seconds / tokens * 1000, major_faults_per_token: (majorFaults() - faults) / tokens,
  rss_mib: Number(/VmHWM:\s+(\d+)/.exec(status)[1]) / 1024, anonymous_mib: Number(/RssAnon:\s+(\d+)/.exec(status)[1]) / 1024,
}));
process.exit(0);
