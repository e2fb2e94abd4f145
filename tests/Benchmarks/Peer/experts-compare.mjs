// Runs the variants of experts.sh one after the other, round by round, and prints a table, ratios first.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";

const env = (name, fallback) => process.env[name] ?? fallback;
const [ours, cache, limited] = process.argv.slice(2);
const threads = env("SLM_BENCH_THREADS", "2");
const rounds = Number(env("SLM_BENCH_ROUNDS", "3"));
const exponents = env("SLM_BENCH_EXPONENTS", "1.0 1.5").split(" ");
const memories = env("SLM_BENCH_MEMORY", "512 640").split(" ");
const limit = env("SLM_BENCH_LIMIT", "1024");
const prefix = env("SLM_BENCH_PREFIX", "").split(" ").filter((word) => word);
const readahead = env("SLM_BENCH_READAHEAD", "");
const peer = path.join(cache, "peer");

const run = (command, options) => {
  const [file, ...args] = [...command];
  return execFileSync(file, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], ...options }).trim().split("\n").at(-1);
};
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const disks = () => readdirSync("/sys/block").map((disk) => `/sys/block/${disk}/queue/read_ahead_kb`).filter((file) => existsSync(file));
function withReadahead(kib, work) {
  const before = disks().map((file) => [file, readFileSync(file, "utf8")]);
  try {
    before.forEach(([file]) => writeFileSync(file, kib));
    return work();
  } finally {
    before.forEach(([file, value]) => writeFileSync(file, value));
  }
}

const cpu = /model name\s*:\s*(.*)/.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? os.cpus()[0].model;
const lines = [`${cpu}, ${new Date().toISOString().slice(0, 10)}, ${threads} threads, ${rounds} rounds, limit ${limit} MiB`, ""];
for (const exponent of exponents) {
  const model = run([ours, "generate-experts", path.join(cache, "models"), exponent]);
  const disk = () => JSON.parse(run([...prefix, ours, "disk", model]));
  const mine = (mib, prefetch, inside) =>
    JSON.parse(run([...(inside ? [limited, limit, model] : []), ...prefix, ours, "experts", model, threads, mib, prefetch, "80", "60"]));
  const node = [...prefix, "node", path.join(peer, "experts.mjs"), model, threads];
  const mapped = () => JSON.parse(run([limited, limit, model, "env", `LD_PRELOAD=${path.join(cache, "no-repack.so")}`, ...node, "8", "8"], { cwd: peer }));
  const variants = {
    "ours, all in memory": () => mine("0", "on", false),
    "peer, all in memory": () => JSON.parse(run([...node, "20", "40"], { cwd: peer })),
    ...Object.fromEntries(memories.flatMap((mib) => [
      [`ours, ${mib} MiB`, () => mine(mib, "on", true)], [`ours, ${mib} MiB, no prefetch`, () => mine(mib, "off", true)],
    ])),
    "peer, mapped": mapped,
    ...(readahead ? { [`peer, mapped, read-ahead ${readahead} KiB`]: () => withReadahead(readahead, mapped) } : {}),
  };
  const results = Object.fromEntries(Object.keys(variants).map((name) => [name, []]));
  const speeds = [];
  for (let round = 0; round < rounds; round++) {
    speeds.push(disk());
    for (const [name, work] of Object.entries(variants)) {
      // The mapped peer takes seconds a token: once will do.
      if (round > 0 && name.startsWith("peer, mapped"))
        continue;
      results[name].push(work());
      console.error(name, JSON.stringify(results[name].at(-1)));
    }
  }
  const figure = (name, key) => median(results[name].map((r) => r[key] ?? NaN));
  const all = figure("ours, all in memory", "decode");
  const theirs = Math.max(...Object.keys(results).filter((name) => name.startsWith("peer, mapped")).map((name) => figure(name, "decode")));
  const digits = (x) => (Number.isNaN(x) ? "" : x < 10 ? x.toFixed(2) : x.toFixed(1));
  lines.push(
    `Exponent ${exponent}; the disk reads an expert in ${digits(median(speeds.map((s) => s.ms)))} ms (${(median(speeds.map((s) => s.mb_per_s)) / 1000).toFixed(2)} GB/s).`, "",
    "| run | of all in memory | over the mapped peer | tok/s | hits | read MB/token | waiting ms/token | predicted tok/s | peak RSS MiB |", "|---|---|---|---|---|---|---|---|---|");
  for (const name of Object.keys(results)) {
    const decode = figure(name, "decode");
    const hits = figure(name, "hit_rate");
    // All misses one after the other, nothing of it hidden.
    const predicted = Number.isNaN(hits) ? NaN : 1000 / (1000 / all + figure(name, "read_mb_per_token") / median(speeds.map((s) => s.mb_per_s)) * 1000);
    lines.push(`| ${name} | **${(decode / all).toFixed(2)}** | ${digits(decode / theirs)} | ${digits(decode)} | ${Number.isNaN(hits) ? "" : `${(hits * 100).toFixed(0)} %`} | ${digits(figure(name, "read_mb_per_token"))} | ${digits(figure(name, "stall_ms_per_token"))} | ${digits(predicted)} | ${figure(name, "rss_mib").toFixed(0)} |`);
  }
  lines.push("");
  writeFileSync(path.join(cache, "experts.md"), lines.join("\n") + "\n");
}
console.log(lines.join("\n"));
