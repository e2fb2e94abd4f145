// Runs both engines alternately on the same files and prints a table, ratios first. Called by compare.sh.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";

const env = (name, fallback) => process.env[name] ?? fallback;
const [ours, cache] = process.argv.slice(2);
const threads = env("SLM_BENCH_THREADS", "2");
const rounds = Number(env("SLM_BENCH_ROUNDS", "5"));
const sizes = env("SLM_BENCH_SIZES", "15M 135M 1.1B").split(" ");
const recipes = env("SLM_BENCH_TYPES", "Q4_0 Q8_0 Q4_K_M").split(" ");
const flash = env("SLM_BENCH_FLASH", "on off").split(" ");
const long = env("SLM_BENCH_LONG", "0");
const peer = path.join(cache, env("SLM_BENCH_PEER", "peer"));
const files = env("SLM_BENCH_FILES", "").split(" ").filter((f) => f);
// Enough tokens for a second or so.
const tokensOf = (model) => { const mib = statSync(model).size / 2 ** 20; return mib < 50 ? "256" : mib < 300 ? "64" : "24"; };

const run = (file, args, options) => execFileSync(file, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], ...options }).trim().split("\n").at(-1);
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const measures = [
  ["decode_empty", "decode, empty context", "tok/s"], ["decode_512", "decode after 512", "tok/s"], ["prefill_512", "prefill 512", "tok/s"],
  ["decode_8", "8 sequences together", "tok/s"], ["load_ms", "load", "ms"], ["first_ms", "load and a token", "ms"],
  ["prompt_ms", "load, a token, prompt of 512", "ms"], ["rss_mib", "peak memory", "MiB"],
];
if (long !== "0")
  measures.push(["decode_long", `decode after ${long}`, "tok/s"]);

const bandwidth = Number(run(ours, ["bandwidth", threads]));
const cpu = /model name\s*:\s*(.*)/.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? os.cpus()[0].model;
const set = env("SLM_KERNELS", "the best set");
const lines = [
  `${cpu}, ${new Date().toISOString().slice(0, 10)}, ${threads} threads, ${set}, peer ${path.basename(peer)}, ${rounds} rounds, read bandwidth ${bandwidth} GB/s`, "",
  "| model | work | ours / peer | ours | peer | unit | of read bandwidth |", "|---|---|---|---|---|---|---|",
];
const noise = sizes.filter((s) => s).flatMap((size) => recipes.map((recipe) => ({ name: `${size} ${recipe}`, size, recipe, model: path.join(cache, "models", `${size}-${recipe}.gguf`) })));
for (const { name, size, recipe, model } of [...noise, ...files.map((f) => ({ name: path.basename(f, ".gguf"), model: path.resolve(f) }))]) {
  if (!existsSync(model))
    run(ours, ["generate", path.join(cache, "models"), size, recipe]);
  const tokens = tokensOf(model);
  const results = { ours: [], peer: Object.fromEntries(flash.map((f) => [f, []])) };
  for (let round = 0; round < rounds; round++) {
    const node = (f) => JSON.parse(run("node", [path.join(peer, "peer.mjs"), model, threads, tokens, long, f], { cwd: peer }));
    const mine = () => results.ours.push(JSON.parse(run(ours, ["measure", model, threads, tokens, long])));
    const theirs = () => flash.forEach((f) => results.peer[f].push(node(f)));
    // Whoever comes first finds the file less warm.
    (round % 2 ? [mine, theirs] : [theirs, mine]).forEach((engine) => engine());
  }
  for (const [key, text, unit] of measures) {
    const mine = median(results.ours.map((r) => r[key]));
    // The peer's better setting of flash attention counts.
    const cost = unit !== "tok/s";
    const settings = flash.map((f) => [median(results.peer[f].map((r) => r[key])), f]).sort((a, b) => cost ? a[0] - b[0] : b[0] - a[0]);
    const [theirs, setting] = settings[0];
    const digits = (x) => (x < 100 ? x.toFixed(1) : x.toFixed(0));
    // Weights read per second: everything in the file but a separate embedding, of which a token reads one row.
    const share = key === "decode_empty" && size ? `${(mine * results.ours[0].read_mib * 2 ** 20 / 1e9 / bandwidth * 100).toFixed(0)} %` : "";
    lines.push(`| ${name} | ${text} | **${(mine / theirs).toFixed(2)}** | ${digits(mine)} | ${digits(theirs)} (flash ${setting}) | ${unit} | ${share} |`);
  }
  console.error(`${name} done`);
  writeFileSync(path.join(cache, "table.md"), lines.join("\n") + "\n");
}
console.log(lines.join("\n"));
