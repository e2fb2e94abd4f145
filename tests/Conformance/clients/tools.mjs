import assert from 'node:assert/strict';
import Ajv from 'ajv/dist/2020.js';
import OpenAI from 'openai';
import { http, model, refused, run, runningSequences, until } from './check.mjs';

const client = new OpenAI({ baseURL: `${http}/v1`, apiKey: 'none', maxRetries: 0 });
const ajv = new Ajv({ strict: false });
const messages = [{ role: 'user', content: 'A girl finds a red ball in the park.' }];

const colour = { type: 'object', properties: { colour: { enum: ['red', 'green', 'blue'] }, count: { type: 'integer', minimum: 1, maximum: 9 } }, required: ['colour', 'count'], additionalProperties: false };
const place = { type: 'object', properties: { where: { type: 'string', maxLength: 12 }, inside: { type: 'boolean' } }, required: ['where'], additionalProperties: false };
const tool = (name, parameters, more) => ({ type: 'function', function: { name, description: `Sets the ${name}.`, parameters, ...more } });
const paint = tool('paint', colour, { strict: true });
const move = tool('move', place, { strict: true });
const schemas = { paint: colour, move: place };

const chat = options => client.chat.completions.create({ model, messages, max_tokens: 120, seed: 7, ...options });
const required = options => chat({ tools: [paint], tool_choice: 'required', parallel_tool_calls: false, ...options });

function valid(call) {
  assert.equal(call.type, 'function');
  assert.match(call.id, /^call_/);
  const check = ajv.compile(schemas[call.function.name]);
  const args = JSON.parse(call.function.arguments);
  assert.ok(check(args), `${call.function.arguments}: ${ajv.errorsText(check.errors)}`);
  return args;
}

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

run({
  async a_required_call_is_of_a_function_with_valid_arguments() {
    const [choice] = (await required()).choices;
    assert.equal(choice.message.tool_calls.length, 1);
    assert.equal(choice.message.tool_calls[0].function.name, 'paint');
    valid(choice.message.tool_calls[0]);
  },

  async an_answer_of_calls_ends_with_tool_calls_and_has_no_content() {
    const [choice] = (await required()).choices;
    assert.equal(choice.finish_reason, 'tool_calls');
    assert.equal(choice.message.content, null);
    assert.equal(choice.message.role, 'assistant');
  },

  async a_named_function_is_called_once() {
    const answer = await chat({ tools: [paint, move], tool_choice: { type: 'function', function: { name: 'move' } } });
    assert.deepEqual(answer.choices[0].message.tool_calls.map(c => c.function.name), ['move']);
    valid(answer.choices[0].message.tool_calls[0]);
  },

  async allowed_tools_bound_the_choice() {
    for (let seed = 0; seed < 4; seed++) {
      const tool_choice = { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'move' } }] } };
      const answer = await chat({ tools: [paint, move], tool_choice, parallel_tool_calls: false, seed });
      assert.deepEqual(answer.choices[0].message.tool_calls.map(c => c.function.name), ['move']);
    }
  },

  async calls_of_many_seeds_are_all_valid() {
    const answers = await Promise.all(Array.from({ length: 12 }, (_, seed) => chat({ tools: [paint, move], tool_choice: 'required', parallel_tool_calls: false, temperature: 1, seed })));
    for (const answer of answers) answer.choices[0].message.tool_calls.forEach(valid);
    assert.ok(new Set(answers.map(a => a.choices[0].message.tool_calls[0].function.arguments)).size > 1, 'the model chooses');
  },

  async without_parallel_calls_there_is_one() {
    const answer = await chat({ tools: [paint, move], tool_choice: 'required', parallel_tool_calls: false });
    assert.equal(answer.choices[0].message.tool_calls.length, 1);
  },

  async parallel_calls_have_ids_of_their_own() {
    const answers = await Promise.all(Array.from({ length: 8 }, (_, seed) => chat({ tools: [paint], tool_choice: 'required', temperature: 1, seed, max_tokens: 200 })));
    for (const { choices: [choice] } of answers) {
      const whole = choice.finish_reason === 'tool_calls' ? choice.message.tool_calls : choice.message.tool_calls.slice(0, -1);
      whole.forEach(valid);
      assert.equal(new Set(choice.message.tool_calls.map(c => c.id)).size, choice.message.tool_calls.length);
    }
  },

  async with_none_nothing_is_called() {
    const answer = await chat({ tools: [paint], tool_choice: 'none' });
    const plain = await chat();
    assert.equal(answer.choices[0].message.tool_calls, undefined);
    assert.equal(answer.choices[0].message.content, plain.choices[0].message.content);
  },

  async with_auto_the_model_may_answer_in_words() {
    const answer = await chat({ tools: [paint], tool_choice: 'auto', max_tokens: 24 });
    const [choice] = answer.choices;
    assert.ok(choice.message.content?.length > 0 || choice.message.tool_calls?.length > 0);
    (choice.message.tool_calls ?? []).forEach(valid);
  },

  async a_streamed_call_is_the_same_as_the_whole() {
    const whole = (await required()).choices[0].message.tool_calls[0].function;
    const deltas = (await collect(await required({ stream: true }))).flatMap(c => c.choices[0].delta.tool_calls ?? []);
    assert.equal(deltas[0].function.name, whole.name);
    assert.equal(deltas.map(d => d.function.arguments ?? '').join(''), whole.arguments);
  },

  async in_a_stream_id_type_and_name_come_once() {
    const deltas = (await collect(await required({ stream: true }))).flatMap(c => c.choices[0].delta.tool_calls ?? []);
    assert.equal(deltas.filter(d => d.id !== undefined).length, 1);
    assert.equal(deltas.filter(d => d.type !== undefined).length, 1);
    assert.equal(deltas.filter(d => d.function.name !== undefined).length, 1);
    assert.ok(deltas.every(d => d.index === 0));
    assert.ok(deltas.filter(d => d.function.arguments).length > 1, 'arguments come in fragments');
  },

  async a_stream_of_calls_ends_as_clients_read_it() {
    const chunks = await collect(await required({ stream: true, stream_options: { include_usage: true } }));
    assert.equal(chunks[0].choices[0].delta.role, 'assistant');
    assert.equal(chunks.at(-2).choices[0].finish_reason, 'tool_calls');
    assert.deepEqual(chunks.at(-2).choices[0].delta, {});
    assert.deepEqual(chunks.at(-1).choices, []);
    assert.ok(chunks.at(-1).usage.completion_tokens > 0);
    assert.ok(!chunks.some(c => c.choices[0]?.delta.content?.includes('tool_call')), 'no tag leaks into the content');
  },

  async the_stream_helper_assembles_calls() {
    const final = await client.chat.completions.stream({ model, messages, max_tokens: 120, seed: 7, tools: [paint], tool_choice: 'required', parallel_tool_calls: false }).finalChatCompletion();
    valid(final.choices[0].message.tool_calls[0]);
    assert.equal(final.choices[0].message.tool_calls[0].function.arguments, (await required()).choices[0].message.tool_calls[0].function.arguments);
  },

  async the_parse_helper_gives_parsed_arguments() {
    const answer = await client.chat.completions.parse({ model, messages, max_tokens: 120, seed: 7, tools: [paint], tool_choice: 'required', parallel_tool_calls: false });
    const [call] = answer.choices[0].message.tool_calls;
    assert.deepEqual(call.function.parsed_arguments, valid(call));
  },

  async the_run_tools_helper_runs_the_function() {
    let seen;
    const parse = JSON.parse;
    const runner = client.chat.completions.runTools({
      model, messages, max_tokens: 120, seed: 7,
      tools: [{ type: 'function', function: { ...paint.function, parse, function: args => { seen = args; return 'painted'; } } }],
      tool_choice: { type: 'function', function: { name: 'paint' } },
    });
    await runner.done();
    assert.ok(ajv.validate(colour, seen), JSON.stringify(seen));
  },

  async calls_and_results_in_the_history_are_read() {
    const call = { id: 'call_1', type: 'function', function: { name: 'paint', arguments: '{"colour": "red", "count": 1}' } };
    const history = [...messages, { role: 'assistant', content: null, tool_calls: [call] }, { role: 'tool', tool_call_id: 'call_1', content: 'painted' }, { role: 'user', content: 'Go on.' }];
    const answer = await chat({ messages: history, tools: [paint], tool_choice: 'none', max_tokens: 8 });
    assert.ok(answer.choices[0].message.content.length > 0);
  },

  async several_answers_each_have_their_calls() {
    const answer = await required({ n: 3, temperature: 1 });
    const ids = answer.choices.flatMap(c => c.message.tool_calls.map(t => (valid(t), t.id)));
    assert.equal(new Set(ids).size, 3);
    const texts = ['', '', ''];
    for (const chunk of await collect(await required({ n: 3, temperature: 1, stream: true })))
      for (const choice of chunk.choices) texts[choice.index] += (choice.delta.tool_calls ?? []).map(d => d.function.arguments ?? '').join('');
    assert.deepEqual(texts, answer.choices.map(c => c.message.tool_calls[0].function.arguments));
  },

  async nested_arguments_are_valid() {
    const parameters = {
      type: 'object', additionalProperties: false, required: ['steps', 'mood'],
      properties: {
        steps: { type: 'array', minItems: 1, maxItems: 2, items: { type: 'object', properties: { do: { enum: ['jump', 'run'] }, times: { type: 'integer', minimum: 1, maximum: 3 } }, required: ['do', 'times'], additionalProperties: false } },
        mood: { anyOf: [{ const: 'happy' }, { type: 'null' }] },
      },
    };
    schemas.play = parameters;
    for (let seed = 0; seed < 4; seed++) {
      const answer = await chat({ tools: [tool('play', parameters, { strict: true })], tool_choice: 'required', parallel_tool_calls: false, seed, max_tokens: 200 });
      valid(answer.choices[0].message.tool_calls[0]);
    }
  },

  async references_of_a_schema_are_followed() {
    const parameters = { type: 'object', properties: { first: { $ref: '#/$defs/pet' }, second: { $ref: '#/$defs/pet' } }, required: ['first', 'second'], additionalProperties: false, $defs: { pet: { enum: ['cat', 'dog'] } } };
    schemas.pets = parameters;
    for (const tools of [[tool('pets', parameters)], [tool('pets', parameters), paint]]) {
      const answer = await chat({ tools, tool_choice: { type: 'function', function: { name: 'pets' } } });
      valid(answer.choices[0].message.tool_calls[0]);
    }
  },

  async a_function_without_parameters_gets_an_empty_object() {
    const answer = await chat({ tools: [{ type: 'function', function: { name: 'now' } }], tool_choice: 'required', parallel_tool_calls: false });
    assert.deepEqual(JSON.parse(answer.choices[0].message.tool_calls[0].function.arguments), {});
  },

  async a_call_that_does_not_fit_is_cut_and_says_so() {
    const [choice] = (await required({ max_tokens: 12 })).choices;
    assert.equal(choice.finish_reason, 'length');
  },

  async log_probabilities_come_with_calls() {
    const answer = await required({ logprobs: true, top_logprobs: 2 });
    const { content } = answer.choices[0].logprobs;
    assert.equal(content.length, answer.usage.completion_tokens);
    assert.ok(content.every(t => t.logprob <= 0 && t.top_logprobs.length === 2));
    const streamed = (await collect(await required({ logprobs: true, top_logprobs: 2, stream: true }))).flatMap(c => c.choices[0].logprobs?.content ?? []);
    assert.deepEqual(streamed, content);
  },

  async the_same_seed_makes_the_same_call() {
    const [a, b] = await Promise.all([required({ temperature: 1 }), required({ temperature: 1 })]);
    assert.equal(a.choices[0].message.tool_calls[0].function.arguments, b.choices[0].message.tool_calls[0].function.arguments);
  },

  async an_unknown_function_cannot_be_chosen() {
    await refused(chat({ tools: [paint], tool_choice: { type: 'function', function: { name: 'fly' } } }), OpenAI.BadRequestError, e => {
      assert.equal(e.param, 'tool_choice');
      assert.match(e.message, /paint/);
    });
  },

  async without_tools_none_can_be_required() {
    await refused(chat({ tool_choice: 'required' }), OpenAI.BadRequestError, e => assert.equal(e.param, 'tool_choice'));
  },

  async two_functions_of_one_name_are_refused() {
    await refused(chat({ tools: [paint, paint] }), OpenAI.BadRequestError, e => assert.match(e.message, /paint/));
  },

  async a_tool_of_another_kind_is_refused_by_name() {
    await refused(chat({ tools: [{ type: 'custom', custom: { name: 'x' } }] }), OpenAI.BadRequestError, e => assert.equal(e.param, 'tools[0].type'));
  },

  async a_name_that_no_function_can_have_is_refused() {
    await refused(chat({ tools: [tool('a b', colour)] }), OpenAI.BadRequestError, e => assert.equal(e.param, 'tools[0].function.name'));
  },

  async a_schema_that_is_none_is_refused() {
    await refused(chat({ tools: [tool('bad', { type: 'object', properties: { a: { type: 'strnig' } } }, { strict: true })], tool_choice: 'required' }), OpenAI.BadRequestError, e => assert.equal(e.param, 'tools'));
  },

  async an_aborted_stream_of_calls_frees_its_place() {
    const controller = new AbortController();
    const long = { type: 'object', properties: { story: { type: 'string' } }, required: ['story'], additionalProperties: false };
    const stream = await client.chat.completions.create({ model, messages, stream: true, tools: [tool('tell', long, { strict: true })], tool_choice: 'required', temperature: 1 }, { signal: controller.signal });
    let seen = 0;
    try {
      for await (const _ of stream) if (++seen === 3) controller.abort();
    } catch { /* some versions throw on abort */ }
    assert.ok(seen >= 3);
    await until(async () => await runningSequences() === 0, 'no sequence runs after the abort');
  },
});
