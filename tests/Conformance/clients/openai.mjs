import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { http, model, refused, run, runningSequences, until } from './check.mjs';

const client = new OpenAI({ baseURL: `${http}/v1`, apiKey: 'none', maxRetries: 0 });
const messages = [{ role: 'user', content: 'A girl finds a red ball in the park.' }];
const chat = options => client.chat.completions.create({ model, messages, max_tokens: 24, seed: 7, ...options });
const complete = options => client.completions.create({ model, prompt: 'Once upon a time', max_tokens: 16, seed: 7, ...options });

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

run({
  async models_are_listed_and_found() {
    const ids = [];
    for await (const entry of client.models.list()) ids.push(entry.id);
    assert.ok(ids.includes(model), ids.join());
    const one = await client.models.retrieve(model);
    assert.equal(one.object, 'model');
    assert.ok(one.created > 0 && one.max_model_len > 0);
  },

  async an_unknown_model_is_not_found() {
    await refused(chat({ model: 'no-such-model' }), OpenAI.NotFoundError, error => {
      assert.equal(error.code, 'model_not_found');
      assert.match(error.message, new RegExp(model));
    });
    await refused(client.models.retrieve('no-such-model'), OpenAI.NotFoundError, error => assert.equal(error.code, 'model_not_found'));
  },

  async a_chat_answer_is_complete() {
    const answer = await chat();
    assert.match(answer.id, /^chatcmpl-/);
    assert.equal(answer.object, 'chat.completion');
    assert.equal(answer.model, model);
    assert.ok(answer.system_fingerprint);
    const [choice] = answer.choices;
    assert.equal(choice.message.role, 'assistant');
    assert.ok(choice.message.content.length > 0);
    assert.ok(['stop', 'length'].includes(choice.finish_reason));
    assert.ok(answer.usage.prompt_tokens > 0);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
    assert.ok(answer.usage.completion_tokens <= 24);
  },

  async a_streamed_chat_says_the_same() {
    const whole = await chat();
    const chunks = await collect(await chat({ stream: true }));
    assert.equal(chunks[0].choices[0].delta.role, 'assistant');
    assert.equal(chunks.map(c => c.choices[0].delta.content ?? '').join(''), whole.choices[0].message.content);
    assert.equal(chunks.at(-1).choices[0].finish_reason, whole.choices[0].finish_reason);
    assert.equal(new Set(chunks.map(c => c.id)).size, 1);
    assert.equal(new Set(chunks.map(c => c.created)).size, 1);
    assert.ok(chunks.every(c => c.choices.length === 1 && c.object === 'chat.completion.chunk'));
    assert.ok(chunks.filter(c => c.choices[0].delta.content).length > 1, 'it really streams');
  },

  async include_usage_adds_one_chunk_without_choices() {
    const chunks = await collect(await chat({ stream: true, stream_options: { include_usage: true } }));
    const last = chunks.at(-1);
    assert.deepEqual(last.choices, []);
    assert.equal(last.usage.total_tokens, last.usage.prompt_tokens + last.usage.completion_tokens);
    assert.ok(chunks.slice(0, -1).every(c => c.usage === null && c.choices.length === 1));
  },

  async the_stream_helper_assembles_a_completion() {
    const final = await client.chat.completions.stream({ model, messages, max_tokens: 24, seed: 7 }).finalChatCompletion();
    assert.equal(final.choices[0].message.content, (await chat()).choices[0].message.content);
  },

  async n_answers_have_their_own_index_and_differ() {
    const answer = await chat({ n: 3, temperature: 1 });
    assert.deepEqual(answer.choices.map(c => c.index), [0, 1, 2]);
    assert.ok(new Set(answer.choices.map(c => c.message.content)).size > 1);
    const texts = ['', '', ''];
    for (const chunk of await collect(await chat({ n: 3, temperature: 1, stream: true })))
      for (const choice of chunk.choices) texts[choice.index] += choice.delta.content ?? '';
    assert.deepEqual(texts, answer.choices.map(c => c.message.content));
  },

  async the_same_seed_gives_the_same_text_and_another_seed_another() {
    const [a, b, c] = await Promise.all([chat({ temperature: 1 }), chat({ temperature: 1 }), chat({ temperature: 1, seed: 8 })]);
    assert.equal(a.choices[0].message.content, b.choices[0].message.content);
    assert.notEqual(a.choices[0].message.content, c.choices[0].message.content);
  },

  async a_stop_string_ends_the_text_and_is_not_in_it() {
    const whole = (await complete({ max_tokens: 40, temperature: 0 })).choices[0].text;
    const stop = whole.slice(20, 24);
    const at = whole.indexOf(stop);
    const cut = (await complete({ max_tokens: 40, temperature: 0, stop: [stop] })).choices[0];
    assert.equal(cut.text, whole.slice(0, at));
    assert.equal(cut.finish_reason, 'stop');
    const streamed = await collect(await complete({ max_tokens: 40, temperature: 0, stop, stream: true }));
    assert.equal(streamed.map(c => c.choices[0].text).join(''), whole.slice(0, at));
  },

  async the_token_limit_gives_length() {
    const answer = await complete({ max_tokens: 3, temperature: 0 });
    assert.equal(answer.choices[0].finish_reason, 'length');
    assert.equal(answer.usage.completion_tokens, 3);
  },

  async chat_log_probabilities_add_up() {
    const answer = await chat({ temperature: 0, logprobs: true, top_logprobs: 5 });
    const { content } = answer.choices[0].logprobs;
    const bytes = content.flatMap(t => t.bytes);
    assert.ok(Buffer.from(bytes).toString('utf8').startsWith(answer.choices[0].message.content));
    for (const token of content) {
      assert.equal(token.top_logprobs.length, 5);
      assert.equal(token.logprob, token.top_logprobs[0].logprob, 'greedy takes the most probable');
      const mass = token.top_logprobs.reduce((sum, t) => sum + Math.exp(t.logprob), 0);
      assert.ok(mass > 0 && mass < 1 + 1e-5, String(mass));
    }
  },

  async the_evaluation_harness_payload_is_answered_as_it_needs() {
    const tokenized = await (await fetch(`${http}/tokenize`, { method: 'POST', body: JSON.stringify({ model, prompt: 'Once upon a time there was a cat.', add_special_tokens: false }) })).json();
    const prompts = [tokenized.tokens, tokenized.tokens.slice(0, 5)];
    const answer = await client.completions.create({ model, prompt: prompts, max_tokens: 1, logprobs: 1, echo: true, temperature: 0, seed: 1234 });
    assert.equal(answer.choices.length, 2);
    for (const choice of answer.choices) {
      const { tokens, token_logprobs, top_logprobs, text_offset } = choice.logprobs;
      assert.equal(tokens.length, prompts[choice.index].length + 1);
      assert.equal(token_logprobs[0], null);
      assert.equal(top_logprobs[0], null);
      for (let i = 1; i < tokens.length; i++) {
        const best = Math.max(...Object.values(top_logprobs[i]));
        assert.ok(token_logprobs[i] <= best && token_logprobs[i] <= 0);
      }
      assert.equal(token_logprobs.at(-1), Math.max(...Object.values(top_logprobs.at(-1))), 'the generated token is greedy and last');
      assert.deepEqual(text_offset, [...text_offset].sort((a, b) => a - b));
      assert.equal(tokens.join(''), choice.text);
    }
  },

  async several_prompts_are_answered_in_order() {
    const prompts = ['One day a dog', 'Once upon a time a cat'];
    const answer = await client.completions.create({ model, prompt: prompts, max_tokens: 8, n: 2, echo: true, seed: 1 });
    assert.deepEqual(answer.choices.map(c => c.index), [0, 1, 2, 3]);
    answer.choices.forEach((choice, i) => assert.ok(choice.text.startsWith(prompts[Math.floor(i / 2)])));
  },

  async embeddings_are_the_same_as_floats_and_base64() {
    const input = ['the cat sat', 'a big red ball'];
    const coded = await client.embeddings.create({ model, input });
    const floats = await client.embeddings.create({ model, input, encoding_format: 'float' });
    assert.deepEqual(coded.data.map(d => [...d.embedding]), floats.data.map(d => d.embedding.map(Math.fround)));
    for (const { embedding } of floats.data)
      assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-4);
    assert.ok(coded.usage.prompt_tokens > 4);
    const short = await client.embeddings.create({ model, input, dimensions: 8, encoding_format: 'float' });
    assert.equal(short.data[0].embedding.length, 8);
  },

  async a_wrong_field_is_named() {
    await refused(chat({ temperature: -1 }), OpenAI.BadRequestError, e => assert.equal(e.param, 'temperature'));
    await refused(chat({ top_p: 0 }), OpenAI.BadRequestError, e => assert.equal(e.param, 'top_p'));
    await refused(chat({ messages: [] }), OpenAI.BadRequestError, e => assert.equal(e.param, 'messages'));
    await refused(chat({ functions: [{ name: 'f' }] }), OpenAI.BadRequestError, e => assert.equal(e.param, 'functions'));
    await refused(chat({ logit_bias: { 99999999: 1 } }), OpenAI.BadRequestError, e => assert.match(e.param, /^logit_bias/));
  },

  async a_prompt_beyond_the_context_names_both_numbers() {
    const prompt = new Array(20000).fill(17);
    await refused(complete({ prompt }), OpenAI.BadRequestError, error => {
      assert.equal(error.code, 'context_length_exceeded');
      assert.match(error.message, /20000/);
    });
  },

  async a_body_that_is_no_json_is_refused() {
    const response = await fetch(`${http}/v1/chat/completions`, { method: 'POST', body: '{' });
    assert.equal(response.status, 400);
    assert.equal((await response.json()).error.type, 'invalid_request_error');
    assert.ok(response.headers.get('x-request-id'));
    const nowhere = await fetch(`${http}/v1/nowhere`);
    assert.equal(nowhere.status, 404);
    assert.ok((await nowhere.json()).error.message);
  },

  async an_aborted_stream_frees_its_place() {
    const controller = new AbortController();
    const stream = await client.chat.completions.create({ model, messages, stream: true, temperature: 1, ignore_eos: true }, { signal: controller.signal });
    let seen = 0;
    try {
      for await (const _ of stream) if (++seen === 3) controller.abort();
    } catch { /* some versions throw on abort */ }
    assert.ok(seen >= 3);
    await until(async () => await runningSequences() === 0, 'no sequence runs after the abort');
  },

  async text_becomes_tokens_and_text_again() {
    const text = 'Tom said, "Look! A 🐸 is on the café table."\n';
    const post = (path, body) => fetch(`${http}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }).then(r => r.json());
    const tokenized = await post('/tokenize', { model, prompt: text, add_special_tokens: false });
    assert.equal(tokenized.count, tokenized.tokens.length);
    assert.ok(tokenized.max_model_len > 0);
    assert.equal((await post('/detokenize', { model, tokens: tokenized.tokens })).prompt, text);
    const info = await (await fetch(`${http}/tokenizer_info?model=${model}`)).json();
    assert.equal(typeof info.eos_token, 'string');
  },
});
