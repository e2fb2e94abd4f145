import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import process from 'node:process';
import { credentials, loadPackageDefinition, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { grpc, model, run, runningSequences, until } from './check.mjs';

// SLM_PROTOS: folders with slm/v1/*.proto and google/api/*.proto, separated by ':'.
const includeDirs = process.env.SLM_PROTOS.split(':');
const files = readdirSync(`${includeDirs[0]}/slm/v1`).map(file => `slm/v1/${file}`);
const { slm } = loadPackageDefinition(loadSync(files, { includeDirs, keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true }));
const address = new URL(grpc).host;
const inference = new slm.v1.InferenceService(address, credentials.createInsecure());
const tokenizer = new slm.v1.TokenizerService(address, credentials.createInsecure());
const models = new slm.v1.ModelService(address, credentials.createInsecure());
const router = new slm.v1.RouterService(address, credentials.createInsecure());

const call = (client, method, request, options = {}) => new Promise((resolve, reject) =>
  client[method](request, options, (error, response) => error ? reject(error) : resolve(response)));

async function generate(request) {
  const pieces = [];
  for await (const piece of inference.Generate({ model, ...request })) pieces.push(piece);
  return pieces;
}

run({
  async a_generation_streams_and_ends_with_its_usage() {
    const pieces = await generate({ text: 'Once upon a time', sampling: { max_tokens: 12, temperature: 0 } });
    const last = pieces.at(-1);
    assert.ok(['FINISH_REASON_STOP', 'FINISH_REASON_LENGTH'].includes(last.finish_reason));
    assert.equal(last.usage.completion_tokens, pieces.flatMap(p => p.token_ids).length);
    assert.ok(pieces.length > 3);
    assert.ok(pieces.slice(0, -1).every(p => p.finish_reason === 'FINISH_REASON_UNSPECIFIED'));
    const once = await call(inference, 'GenerateOnce', { model, text: 'Once upon a time', sampling: { max_tokens: 12, temperature: 0 } });
    assert.equal(once.text, pieces.map(p => p.text).join(''));
  },

  async ids_and_text_are_the_same_prompt() {
    const { ids, start_bytes, end_bytes } = await call(tokenizer, 'Encode', { model, text: 'The cat sat.' });
    assert.equal(ids.length, start_bytes.length);
    assert.equal(end_bytes.at(-1), 12);
    const sampling = { max_tokens: 8, temperature: 0 };
    const [a, b] = await Promise.all([generate({ text: 'The cat sat.', sampling }), generate({ token_ids: { ids }, sampling })]);
    assert.deepEqual(a.flatMap(p => p.token_ids), b.flatMap(p => p.token_ids));
    const { text } = await call(tokenizer, 'Decode', { model, ids, skip_special_tokens: true });
    assert.equal(text, 'The cat sat.');
  },

  async a_score_is_the_sum_of_its_tokens() {
    const score = await call(inference, 'Score', { model, text: 'Once upon a', continuation_text: ' time' });
    const sum = score.tokens.reduce((total, token) => total + token.logprob, 0);
    assert.ok(Math.abs(sum - score.sum_logprob) < 1e-4);
    assert.ok(score.sum_logprob < 0);
  },

  async greedy_text_scores_as_greedy() {
    const pieces = await generate({ text: 'Once upon a time', sampling: { max_tokens: 6, temperature: 0 } });
    const { ids } = await call(tokenizer, 'Encode', { model, text: 'Once upon a time' });
    const score = await call(inference, 'Score', { model, token_ids: { ids }, continuation_ids: { ids: pieces.flatMap(p => p.token_ids) } });
    assert.equal(score.is_greedy, true);
  },

  async errors_carry_their_status() {
    await assert.rejects(call(models, 'Get', { model: 'no-such-model' }), e => e.code === status.NOT_FOUND && e.details.includes(model));
    await assert.rejects(call(inference, 'GenerateOnce', { model, text: 'x', sampling: { temperature: -1 } }), e => e.code === status.INVALID_ARGUMENT && e.details.includes('temperature'));
    await assert.rejects(call(inference, 'GenerateOnce', { model }), e => e.code === status.INVALID_ARGUMENT);
    await assert.rejects(call(router, 'Route', {}), e => e.code === status.INVALID_ARGUMENT && e.details.includes('request'));
  },

  async a_deadline_ends_a_generation() {
    await assert.rejects(
      call(inference, 'GenerateOnce', { model, text: 'x', sampling: { ignore_eos: true, temperature: 1 } }, { deadline: Date.now() + 100 }),
      e => e.code === status.DEADLINE_EXCEEDED);
    await until(async () => await runningSequences() === 0, 'no sequence runs after the deadline');
  },

  async a_cancelled_stream_frees_its_place() {
    const stream = inference.Generate({ model, text: 'x', sampling: { ignore_eos: true, temperature: 1 } });
    let seen = 0;
    await assert.rejects(async () => {
      for await (const _ of stream) if (++seen === 3) stream.cancel();
    }, e => e.code === status.CANCELLED);
    await until(async () => await runningSequences() === 0, 'no sequence runs after the cancel');
  },

  async a_model_says_where_its_layers_live() {
    const description = await call(models, 'Describe', { model });
    const stages = description.stages;
    assert.equal(stages[0].first_layer, 0);
    assert.equal(stages.at(-1).end_layer, description.layers);
    assert.ok(stages.every(s => s.silo.length > 0));
  },
});
