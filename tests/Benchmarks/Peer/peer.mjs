// One round of the comparison for llama.cpp, in a process of its own; the twin of EngineMeasurement.cs.
// node peer.mjs MODEL THREADS TOKENS LONG FLASH
import { readFileSync } from "node:fs";
import { getLlama } from "node-llama-cpp";

const [path, threadsText, tokensText, longText, flash] = process.argv.slice(2);
const [threads, decodeTokens, longContext] = [threadsText, tokensText, longText].map(Number);
const prompt = 512;
const sequences = 8;
const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads, progressLogs: false, logLevel: "error" });

const seconds = async (work) => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
};
const peakRss = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]) / 1024;

const started = performance.now();
const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
const length = Math.max(prompt, longContext) + decodeTokens + 8;
let context = await model.createContext({ contextSize: length, batchSize: prompt, sequences: 1, threads, flashAttention: flash === "on" });
const load = performance.now() - started;
const vocabulary = Math.min(32000, model.fileInfo.metadata.tokenizer?.ggml?.tokens?.length ?? 32000);
const id = (i) => (i * 7919) % vocabulary;

// Straight to the binding: the library's own bookkeeping per token would count against the peer.
let native = context._ctx;
native.setThreads(threads);
async function prefill(tokens, start = 0) {
  native.removeTokenCellsFromSequence(0, start, -1);
  native.initBatch(tokens);
  native.addToBatch(0, start, Uint32Array.from({ length: tokens }, (_, i) => id(start + i)), Uint32Array.of(tokens - 1));
  await native.decodeBatch();
}
async function decode(count, start, tokens) {
  for (let s = 0; s < count; s++)
    native.removeTokenCellsFromSequence(s, start, -1);
  for (let i = 0; i < tokens; i++) {
    native.initBatch(count);
    for (let s = 0; s < count; s++)
      native.addToBatch(s, start + i, Uint32Array.of(id(start + i + s)), Uint32Array.of(0));
    await native.decodeBatch();
  }
}

await decode(1, 0, 1);
const first = performance.now() - started;
await prefill(prompt);
const read = performance.now() - started;
await prefill(64);
await decode(1, 64, 16);
const values = {};
values.load_ms = load;
values.first_ms = first;
values.prompt_ms = read;
const prompts = Math.max(1, decodeTokens >> 4);
values.prefill_512 = prompts * prompt / await seconds(async () => {
  for (let i = 0; i < prompts; i++)
    await prefill(prompt);
});
values.decode_512 = decodeTokens / await seconds(() => decode(1, prompt, decodeTokens));
values.decode_empty = decodeTokens / await seconds(() => decode(1, 0, decodeTokens));
values.rss_mib = peakRss();
if (longContext > 0) {
  for (let start = 0; start < longContext; start += prompt)
    await prefill(prompt, start);
  values.decode_long = decodeTokens / await seconds(() => decode(1, longContext, decodeTokens));
}
await context.dispose();
context = await model.createContext({ contextSize: decodeTokens + 64, batchSize: prompt, sequences, threads, flashAttention: flash === "on" });
native = context._ctx;
native.setThreads(threads);
await decode(sequences, 0, 2);
values.decode_8 = sequences * (decodeTokens >> 1) / await seconds(() => decode(sequences, 0, decodeTokens >> 1));
console.log(JSON.stringify(values));
process.exit(0);
