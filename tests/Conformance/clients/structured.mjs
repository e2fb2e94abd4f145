import assert from 'node:assert/strict';
import Ajv from 'ajv/dist/2020.js';
import OpenAI from 'openai';
import { http, model, refused, run } from './check.mjs';

const client = new OpenAI({ baseURL: `${http}/v1`, apiKey: 'none', maxRetries: 0 });
const ajv = new Ajv({ strict: false });
const messages = [{ role: 'user', content: 'A girl finds a red ball in the park.' }];
const chat = options => client.chat.completions.create({ model, messages, max_tokens: 200, seed: 7, ...options });
const complete = options => client.completions.create({ model, prompt: 'Once upon a time', max_tokens: 60, seed: 7, ...options });
const format = (schema, strict = true) => ({ type: 'json_schema', json_schema: { name: 'answer', strict, schema } });
const content = answer => answer.choices[0].message.content;

const pet = { type: 'object', properties: { name: { type: 'string', maxLength: 10 }, kind: { enum: ['cat', 'dog', 'fox'] }, age: { type: 'integer', minimum: 0, maximum: 20 } }, required: ['name', 'kind', 'age'], additionalProperties: false };

function valid(schema, text) {
  const value = JSON.parse(text);
  assert.ok(ajv.validate(schema, value), `${text}: ${ajv.errorsText()}`);
  return value;
}

// Every seed must give a valid document, or end for its length.
async function allValid(schema, seeds = 6) {
  const answers = await Promise.all(Array.from({ length: seeds }, (_, seed) => chat({ response_format: format(schema), temperature: 1, seed })));
  let whole = 0;
  for (const answer of answers) {
    if (answer.choices[0].finish_reason === 'length') continue;
    valid(schema, content(answer));
    whole++;
  }
  assert.ok(whole > 0, 'some answer was whole');
}

async function streamed(options) {
  let text = '';
  for await (const chunk of await chat({ ...options, stream: true })) text += chunk.choices[0].delta.content ?? '';
  return text;
}

run({
  async a_JSON_object_is_an_object() {
    const answer = await chat({ response_format: { type: 'json_object' }, temperature: 0, max_tokens: 300 });
    if (answer.choices[0].finish_reason === 'stop') assert.equal(typeof JSON.parse(content(answer)), 'object');
    assert.match(content(answer), /^\s*\{/);
  },

  async a_strict_schema_is_followed() {
    await allValid(pet, 10);
  },

  async properties_of_a_strict_schema_come_in_its_order() {
    assert.deepEqual(Object.keys(valid(pet, content(await chat({ response_format: format(pet) })))), ['name', 'kind', 'age']);
  },

  async integers_of_a_strict_schema_have_no_fraction() {
    for (let seed = 0; seed < 5; seed++)
      assert.match(content(await chat({ response_format: format(pet), seed, temperature: 1 })), /"age":\s*\d+\s*\}/);
  },

  async a_schema_that_is_not_strict_is_followed_too() {
    valid(pet, content(await chat({ response_format: format(pet, false) })));
  },

  async a_stream_says_the_same_as_the_whole() {
    assert.equal(await streamed({ response_format: format(pet) }), content(await chat({ response_format: format(pet) })));
  },

  async the_parse_helper_gives_the_document() {
    const answer = await client.chat.completions.parse({ model, messages, max_tokens: 200, seed: 7, response_format: format(pet) });
    assert.ok(ajv.validate(pet, JSON.parse(answer.choices[0].message.content)));
    assert.equal(answer.choices[0].message.refusal, null);
  },

  async arrays_have_as_many_items_as_they_may() {
    await allValid({ type: 'object', properties: { toys: { type: 'array', items: { enum: ['ball', 'kite', 'drum'] }, minItems: 2, maxItems: 3 } }, required: ['toys'], additionalProperties: false });
  },

  async alternatives_are_kept_apart() {
    await allValid({ type: 'object', properties: { value: { anyOf: [{ type: 'integer', minimum: 10, maximum: 99 }, { type: 'null' }, { const: 'none' }] } }, required: ['value'], additionalProperties: false });
  },

  async recursion_is_followed() {
    const node = { type: 'object', properties: { name: { enum: ['a', 'b'] }, child: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] } }, required: ['name', 'child'], additionalProperties: false };
    await allValid({ $defs: { node }, $ref: '#/$defs/node' });
  },

  async patterns_are_followed() {
    await allValid({ type: 'object', properties: { code: { type: 'string', pattern: '^[A-Z]{2}-[0-9]{3}$' } }, required: ['code'], additionalProperties: false });
  },

  async numbers_stay_in_their_range() {
    await allValid({ type: 'object', properties: { n: { type: 'number', minimum: -1.5, maximum: 2.5 }, i: { type: 'integer', exclusiveMinimum: 99, exclusiveMaximum: 1000 } }, required: ['n', 'i'], additionalProperties: false });
  },

  async optional_properties_may_be_missing_and_others_may_not_come() {
    await allValid({ type: 'object', properties: { a: { const: 1 }, b: { const: 2 } }, required: ['a'], additionalProperties: false });
  },

  async a_document_that_does_not_fit_is_cut_and_says_so() {
    const answer = await chat({ response_format: format(pet), max_tokens: 3 });
    assert.equal(answer.choices[0].finish_reason, 'length');
  },

  async several_answers_are_all_valid() {
    for (const choice of (await chat({ response_format: format(pet), n: 4, temperature: 1 })).choices) valid(pet, choice.message.content);
  },

  async the_same_seed_gives_the_same_document() {
    const [a, b] = await Promise.all([chat({ response_format: format(pet), temperature: 1 }), chat({ response_format: format(pet), temperature: 1 })]);
    assert.equal(content(a), content(b));
  },

  async log_probabilities_are_those_of_the_model() {
    const answer = await chat({ response_format: format(pet), logprobs: true, top_logprobs: 3, temperature: 0 });
    for (const token of answer.choices[0].logprobs.content) assert.ok(token.logprob <= token.top_logprobs[0].logprob);
  },

  async a_schema_beside_tools_is_followed_where_nothing_is_called() {
    const answer = await chat({ response_format: format(pet), tools: [{ type: 'function', function: { name: 'f', parameters: pet } }], parallel_tool_calls: false });
    const { message } = answer.choices[0];
    if (message.tool_calls) valid(pet, message.tool_calls[0].function.arguments);
    else valid(pet, message.content);
  },

  async a_wrong_schema_is_refused_by_name() {
    await refused(chat({ response_format: format({ type: 'objekt' }) }), OpenAI.BadRequestError, e => assert.equal(e.param, 'response_format'));
    await refused(chat({ response_format: format({ $ref: '#/nowhere' }) }), OpenAI.BadRequestError, e => assert.equal(e.param, 'response_format'));
  },

  async an_unknown_format_is_refused_by_name() {
    await refused(chat({ response_format: { type: 'yaml' } }), OpenAI.BadRequestError, e => assert.equal(e.param, 'response_format.type'));
  },

  async two_formats_are_refused_together() {
    await refused(chat({ response_format: format(pet), guided_regex: 'a+' }), OpenAI.BadRequestError, e => assert.match(e.message, /response_format.*guided_regex/));
  },

  async llama_cpp_s_grammar_is_followed() {
    assert.match(content(await chat({ grammar: 'root ::= ("ab" | "cd"){2,3} "."' })), /^(ab|cd){2,3}\.$/);
  },

  async llama_cpp_s_json_schema_is_followed() {
    valid(pet, content(await chat({ json_schema: pet })));
  },

  async a_wrong_grammar_is_refused_by_name() {
    await refused(chat({ grammar: 'root ::= (' }), OpenAI.BadRequestError, e => assert.equal(e.param, 'grammar'));
  },

  async vLLM_s_guided_fields_are_followed() {
    valid(pet, content(await chat({ guided_json: pet })));
    assert.match(content(await chat({ guided_regex: '[a-f]{3}-\\d{2}' })), /^[a-f]{3}-\d{2}$/);
    assert.ok(['yes', 'no'].includes(content(await chat({ guided_choice: ['yes', 'no'] }))));
    assert.match(content(await chat({ guided_grammar: 'root ::= [0-9]+ "%"', max_tokens: 300 })), /^\d+%?$/);
  },

  async vLLM_s_structured_outputs_are_followed() {
    const document = content(await chat({ structured_outputs: { json: pet, disable_any_whitespace: true } }));
    valid(pet, document);
    assert.ok(!document.includes('\n'));
    assert.match(content(await chat({ structured_outputs: { regex: '(hop ){2}' } })), /^(hop ){2}$/);
    assert.ok(['left', 'right'].includes(content(await chat({ structured_outputs: { choice: ['left', 'right'] } }))));
  },

  async a_structural_tag_is_followed() {
    const structural_tag = { type: 'structural_tag', format: { type: 'tags_with_separator', separator: ', ', at_least_one: true, stop_after_first: true, tags: [{ begin: '<pet>', content: { type: 'json_schema', json_schema: pet }, end: '</pet>' }] } };
    const text = content(await chat({ structured_outputs: { structural_tag } }));
    assert.match(text, /^<pet>.*<\/pet>$/s);
    valid(pet, text.slice(5, -6));
  },

  async plain_completions_take_the_same_fields() {
    assert.match((await complete({ guided_regex: ' [a-z]{3}\\.' })).choices[0].text, /^ [a-z]{3}\.$/);
    valid(pet, (await complete({ response_format: format(pet), max_tokens: 120 })).choices[0].text);
    assert.ok([' cat', ' dog'].includes((await complete({ structured_outputs: { choice: [' cat', ' dog'] } })).choices[0].text));
  },
});
