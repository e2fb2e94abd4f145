import assert from 'node:assert/strict';
import Ajv from 'ajv/dist/2020.js';
import OpenAI from 'openai';
import { http, model, refused, run, runningSequences, until } from './check.mjs';

const client = new OpenAI({ baseURL: `${http}/v1`, apiKey: 'none', maxRetries: 0 });
const ajv = new Ajv({ strict: false });
const input = 'A girl finds a red ball in the park.';
const respond = options => client.responses.create({ model, input, max_output_tokens: 32, seed: 7, ...options });
const colour = { type: 'object', properties: { colour: { enum: ['red', 'green', 'blue'] } }, required: ['colour'], additionalProperties: false };
const paint = { type: 'function', name: 'paint', description: 'Paints.', parameters: colour, strict: true };
const call = options => respond({ tools: [paint], tool_choice: 'required', parallel_tool_calls: false, max_output_tokens: 80, ...options });

async function collect(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

run({
  async a_text_is_answered() {
    const response = await respond();
    assert.match(response.id, /^resp_/);
    assert.equal(response.object, 'response');
    assert.equal(response.model, model);
    assert.ok(['completed', 'incomplete'].includes(response.status));
    const [item] = response.output;
    assert.equal(item.type, 'message');
    assert.equal(item.role, 'assistant');
    assert.equal(item.content[0].type, 'output_text');
    assert.equal(response.output_text, item.content[0].text);
    assert.equal(response.usage.total_tokens, response.usage.input_tokens + response.usage.output_tokens);
  },

  async it_says_what_chat_completions_say() {
    const chat = await client.chat.completions.create({ model, messages: [{ role: 'user', content: input }], max_tokens: 32, seed: 7 });
    assert.equal((await respond()).output_text, chat.choices[0].message.content);
  },

  async items_and_parts_are_read() {
    const items = [{ role: 'user', content: 'hello' }, { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'hi' }] }, { role: 'user', content: [{ type: 'input_text', text: input }] }];
    assert.equal((await respond({ input: items })).output_text, (await respond()).output_text, 'the template reads the last user message');
  },

  async instructions_are_echoed_and_accepted() {
    const response = await respond({ instructions: 'Tell it shortly.' });
    assert.equal(response.instructions, 'Tell it shortly.');
    assert.ok(response.output_text.length > 0);
  },

  async a_limit_makes_it_incomplete() {
    const response = await respond({ max_output_tokens: 3 });
    assert.equal(response.status, 'incomplete');
    assert.equal(response.incomplete_details.reason, 'max_output_tokens');
    assert.equal(response.usage.output_tokens, 3);
  },

  async metadata_and_settings_are_echoed() {
    const response = await respond({ metadata: { story: 'one' }, temperature: 0.5, top_p: 0.9, parallel_tool_calls: false });
    assert.deepEqual(response.metadata, { story: 'one' });
    assert.equal(response.temperature, 0.5);
    assert.ok(Math.abs(response.top_p - 0.9) < 1e-6);
    assert.equal(response.max_output_tokens, 32);
    assert.equal(response.parallel_tool_calls, false);
    assert.deepEqual(response.tools, []);
  },

  async events_come_in_order_with_numbers() {
    const events = await collect(await respond({ stream: true }));
    assert.deepEqual(events.map(e => e.sequence_number), events.map((_, i) => i));
    const types = events.map(e => e.type).filter((t, i, all) => t !== all[i - 1]);
    assert.deepEqual(types.slice(0, 5), ['response.created', 'response.in_progress', 'response.output_item.added', 'response.content_part.added', 'response.output_text.delta']);
    assert.deepEqual(types.slice(-4, -1), ['response.output_text.done', 'response.content_part.done', 'response.output_item.done']);
    assert.ok(['response.completed', 'response.incomplete'].includes(types.at(-1)));
  },

  async the_wire_names_its_events() {
    const response = await fetch(`${http}/v1/responses`, { method: 'POST', body: JSON.stringify({ model, input, max_output_tokens: 4, stream: true }) });
    assert.match(response.headers.get('content-type'), /text\/event-stream/);
    const blocks = (await response.text()).split('\n\n').filter(Boolean);
    for (const block of blocks) {
      const [name, data] = block.split('\n');
      assert.equal(name, `event: ${JSON.parse(data.slice('data: '.length)).type}`);
    }
  },

  async a_stream_says_the_same_as_the_whole() {
    const whole = await respond();
    const events = await collect(await respond({ stream: true }));
    assert.equal(events.filter(e => e.type === 'response.output_text.delta').map(e => e.delta).join(''), whole.output_text);
    assert.equal(events.find(e => e.type === 'response.output_text.done').text, whole.output_text);
    assert.equal(events.at(-1).response.output[0].content[0].text, whole.output_text);
    assert.deepEqual(events.at(-1).response.usage.output_tokens, whole.usage.output_tokens);
  },

  async the_stream_helper_assembles_a_response() {
    const final = await client.responses.stream({ model, input, max_output_tokens: 32, seed: 7 }).finalResponse();
    assert.equal(final.output_text, (await respond()).output_text);
  },

  async log_probabilities_are_given_on_request() {
    const response = await respond({ include: ['message.output_text.logprobs'], top_logprobs: 2, max_output_tokens: 6 });
    const { logprobs, text } = response.output[0].content[0];
    assert.equal(logprobs.length, 6);
    assert.ok(logprobs.every(t => t.top_logprobs.length === 2));
    assert.ok(Buffer.from(logprobs.flatMap(t => t.bytes)).toString('utf8').startsWith(text.trimEnd()));
  },

  async a_stored_response_is_found_again() {
    const response = await respond();
    const again = await client.responses.retrieve(response.id);
    assert.deepEqual(again.output, response.output);
    assert.equal(again.status, response.status);
  },

  async a_deleted_response_is_gone() {
    const response = await respond();
    await client.responses.delete(response.id);
    await refused(client.responses.retrieve(response.id), OpenAI.NotFoundError, e => assert.equal(e.code, 'response_not_found'));
  },

  async a_response_that_is_not_stored_is_not_found() {
    const response = await respond({ store: false });
    assert.equal(response.store, false);
    await refused(client.responses.retrieve(response.id), OpenAI.NotFoundError, e => assert.match(e.message, /resp_/));
  },

  async a_response_of_another_key_is_not_found() {
    const response = await respond();
    const other = new OpenAI({ baseURL: `${http}/v1`, apiKey: 'other', maxRetries: 0 });
    await refused(other.responses.retrieve(response.id), OpenAI.NotFoundError, e => assert.equal(e.code, 'response_not_found'));
  },

  async input_items_are_listed() {
    const response = await respond({ input: [{ role: 'user', content: 'one' }, { role: 'assistant', content: 'two' }, { role: 'user', content: 'three' }] });
    const texts = [];
    for await (const item of client.responses.inputItems.list(response.id, { order: 'asc', limit: 2 })) texts.push(item.content[0].text);
    assert.deepEqual(texts, ['one', 'two', 'three']);
    const newest = await client.responses.inputItems.list(response.id);
    assert.equal(newest.data[0].content[0].text, 'three');
  },

  async a_response_goes_on_from_another() {
    const first = await call();
    const [item] = first.output;
    const second = await respond({ previous_response_id: first.id, input: [{ type: 'function_call_output', call_id: item.call_id, output: 'painted' }, { role: 'user', content: input }] });
    assert.equal(second.previous_response_id, first.id);
    assert.ok(second.output_text.length > 0);
  },

  async an_unknown_previous_response_is_not_found() {
    await refused(respond({ previous_response_id: 'resp_none' }), OpenAI.NotFoundError, e => assert.equal(e.param, 'previous_response_id'));
  },

  async a_background_response_is_fetched_later() {
    const begun = await respond({ background: true });
    assert.ok(['queued', 'in_progress', 'completed', 'incomplete'].includes(begun.status));
    let response;
    await until(async () => !['queued', 'in_progress'].includes((response = await client.responses.retrieve(begun.id)).status), 'the response ends');
    assert.equal(response.output_text, (await respond()).output_text);
  },

  async a_background_response_is_cancelled() {
    const begun = await respond({ background: true, ignore_eos: true, max_output_tokens: 400 });
    const cancelled = await client.responses.cancel(begun.id);
    assert.equal(cancelled.status, 'cancelled');
    await until(async () => await runningSequences() === 0, 'no sequence runs after the cancellation');
    assert.equal((await client.responses.retrieve(begun.id)).status, 'cancelled');
  },

  async a_response_that_was_waited_for_cannot_be_cancelled() {
    const response = await respond();
    await refused(client.responses.cancel(response.id), OpenAI.BadRequestError, e => assert.match(e.message, /background/));
  },

  async a_schema_is_followed_and_parsed() {
    const text = { format: { type: 'json_schema', name: 'colour', strict: true, schema: colour } };
    const response = await client.responses.parse({ model, input, text, max_output_tokens: 80, seed: 7 });
    assert.ok(ajv.validate(colour, JSON.parse(response.output_text)));
    assert.deepEqual(response.text.format.schema, colour);
  },

  async a_function_is_called() {
    const response = await call();
    const [item] = response.output;
    assert.equal(item.type, 'function_call');
    assert.equal(item.name, 'paint');
    assert.equal(item.status, 'completed');
    assert.match(item.call_id, /^call_/);
    assert.ok(ajv.validate(colour, JSON.parse(item.arguments)));
    assert.equal(response.status, 'completed');
  },

  async a_named_function_is_called() {
    const jump = { type: 'function', name: 'jump', parameters: { type: 'object', properties: {}, additionalProperties: false }, strict: true };
    const response = await call({ tools: [paint, jump], tool_choice: { type: 'function', name: 'jump' } });
    assert.deepEqual(response.output.map(o => o.name), ['jump']);
  },

  async arguments_are_streamed() {
    const events = await collect(await call({ stream: true }));
    const added = events.find(e => e.type === 'response.output_item.added').item;
    assert.equal(added.type, 'function_call');
    assert.equal(added.arguments, '');
    const deltas = events.filter(e => e.type === 'response.function_call_arguments.delta');
    const done = events.find(e => e.type === 'response.function_call_arguments.done');
    assert.equal(deltas.map(e => e.delta).join(''), done.arguments);
    assert.ok(deltas.every(e => e.item_id === added.id && e.output_index === 0));
    assert.equal(events.at(-1).response.output[0].arguments, done.arguments);
  },

  async calls_and_outputs_are_read_as_input() {
    const items = [{ role: 'user', content: input }, { type: 'function_call', call_id: 'call_1', name: 'paint', arguments: '{"colour": "red"}' }, { type: 'function_call_output', call_id: 'call_1', output: 'painted' }];
    assert.ok((await respond({ input: items, tools: [paint], tool_choice: 'none' })).output_text.length > 0);
  },

  async a_wrong_field_is_named() {
    await refused(respond({ temperature: -1 }), OpenAI.BadRequestError, e => assert.equal(e.param, 'temperature'));
    await refused(respond({ input: [{ type: 'hologram' }] }), OpenAI.BadRequestError, e => assert.equal(e.param, 'input[0].type'));
    await refused(respond({ truncation: 'auto' }), OpenAI.BadRequestError, e => assert.equal(e.param, 'truncation'));
    await refused(respond({ tools: [{ type: 'web_search' }] }), OpenAI.BadRequestError, e => assert.equal(e.param, 'tools[0].type'));
    await refused(respond({ text: { format: { type: 'yaml' } } }), OpenAI.BadRequestError, e => assert.equal(e.param, 'text.format.type'));
  },

  async an_unknown_model_is_not_found() {
    await refused(respond({ model: 'no-such-model' }), OpenAI.NotFoundError, e => assert.equal(e.code, 'model_not_found'));
    await refused(respond({ model: 'no-such-model', stream: true }), OpenAI.NotFoundError, e => assert.equal(e.code, 'model_not_found'));
  },

  async an_unknown_MCP_server_is_refused() {
    await refused(respond({ tools: [{ type: 'mcp', server_label: 'nowhere', require_approval: 'never' }] }), OpenAI.BadRequestError, e => assert.match(e.message, /nowhere/));
    await refused(respond({ tools: [{ type: 'mcp', server_label: 'x', server_url: 'http://127.0.0.1:1/', require_approval: 'never' }] }), OpenAI.BadRequestError, e => assert.equal(e.param, 'tools[0].server_url'));
  },

  async an_aborted_stream_frees_its_place() {
    const controller = new AbortController();
    const stream = await client.responses.create({ model, input, stream: true, ignore_eos: true, temperature: 1 }, { signal: controller.signal });
    let seen = 0;
    try {
      for await (const _ of stream) if (++seen === 6) controller.abort();
    } catch { /* some versions throw on abort */ }
    assert.ok(seen >= 6);
    await until(async () => await runningSequences() === 0, 'no sequence runs after the abort');
  },
});
