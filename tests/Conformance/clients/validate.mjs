// Validates generated documents with a validator that is not ours: SLM_DOCUMENTS names a JSON file of [{ name, schema, text }].
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import Ajv from 'ajv';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import process from 'node:process';
import { run } from './check.mjs';

run({
  async every_document_is_valid() {
    const documents = JSON.parse(readFileSync(process.env.SLM_DOCUMENTS, 'utf8'));
    let judged = 0;
    for (const { name, schema, text } of documents) {
      const Kind = /draft-0[67]/.test(schema.$schema ?? '') ? Ajv : Ajv2020;
      const ajv = new Kind({ strict: false, validateSchema: false, logger: false, unicodeRegExp: false });
      addFormats(ajv);
      delete schema.$schema;
      let check;
      try {
        check = ajv.compile(schema);
      } catch (error) {
        console.error(`${name}: ${error.message}`); // Not every schema is one that ajv reads.
        continue;
      }
      judged++;
      assert.ok(check(JSON.parse(text)), `${name}: ${text}: ${ajv.errorsText(check.errors)}`);
    }
    assert.ok(judged >= 0.9 * documents.length, `Only ${judged} of ${documents.length} schemas could be read.`);
  },
});
