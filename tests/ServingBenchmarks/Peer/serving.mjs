// The same load as ServingMeasurement.cs on llama.cpp's batched decode, through node-llama-cpp in this process (no gRPC).
// node serving.mjs MODEL THREADS PLAN      PLAN is the file JSON-FILE.plan that the other side writes
import { readFileSync } from "node:fs";
import { getLlama } from "node-llama-cpp";

const [path, threads, planPath] = process.argv.slice(2);
const llama = await getLlama({ gpu: false, build: "never", maxThreads: Number(threads), progressLogs: false, logLevel: "error" });
const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
const now = () => performance.now();

const percentile = (values, share) => {
  values.sort((a, b) => a - b);
  return values.length === 0 ? 0 : values[Math.min(values.length - 1, Math.max(0, Math.ceil(share * values.length) - 1))];
};
const tail = (values, digits, width) => [0.5, 0.95, 0.99].map((s) => percentile(values, s).toFixed(digits).padStart(width)).join(" ");

async function generate(sequence, request, sent, first, next) {
  let last = sent;
  let count = 0;
  for await (const _ of sequence.evaluate(request.prompt, { temperature: 0, yieldEogToken: true })) {
    const at = now();
    (count === 0 ? first : next).push(at - last);
    last = at;
    if (++count === request.output_tokens)
      break;
  }
  await sequence.clearHistory();
  return count;
}

async function load(level) {
  const { streams, requests } = level;
  const longest = Math.max(...requests.map((r) => r.prompt.length + r.output_tokens)) + 8;
  const context = await model.createContext({ contextSize: longest, batchSize: 512, sequences: streams, threads: Number(threads), flashAttention: false });
  const free = Array.from({ length: streams }, () => context.getSequence());
  const waiting = [];
  const take = () => free.length > 0 ? Promise.resolve(free.pop()) : new Promise((resolve) => waiting.push(resolve));
  const give = (sequence) => waiting.length > 0 ? waiting.shift()(sequence) : free.push(sequence);
  const [first, next] = [[], []];
  let generated = 0;
  const start = now();
  await Promise.all(requests.map(async (request) => {
    await new Promise((resolve) => setTimeout(resolve, request.arrival * 1000));
    const sequence = await take();
    // Not in one statement: the others add meanwhile.
    const count = await generate(sequence, request, now(), first, next);
    generated += count;
    give(sequence);
  }));
  const seconds = (now() - start) / 1000 - requests[0].arrival;
  await context.dispose();
  return { generated, seconds, first, next };
}

const plan = JSON.parse(readFileSync(planPath, "utf8"));
await load({ streams: 1, requests: plan[0].requests.slice(0, 3) });
console.log("streams  requests   out tok/s | first token p50     p95     p99 ms | per token p50     p95     p99 ms");
for (const level of plan) {
  const result = await load(level);
  console.log(
    `${String(level.streams).padStart(7)} ${String(level.requests.length).padStart(9)} ${(result.generated / result.seconds).toFixed(1).padStart(11)} |` +
    `         ${tail(result.first, 0, 7)}    |       ${tail(result.next, 2, 7)}`);
}
process.exit(0);
