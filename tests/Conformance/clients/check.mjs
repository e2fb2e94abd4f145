// Runs one named check: node openai.mjs <check>. Without a name it prints the names, one a line.
// SLM_HTTP, SLM_GRPC and SLM_MODEL say where the platform is and which model to use.
import assert from 'node:assert/strict';
import process from 'node:process';

export const http = process.env.SLM_HTTP;
export const grpc = process.env.SLM_GRPC;
export const model = process.env.SLM_MODEL;

export async function run(checks) {
  const name = process.argv[2];
  if (!name) {
    console.log(Object.keys(checks).join('\n'));
    return;
  }
  try {
    await checks[name]();
    process.exit(0);
  } catch (error) {
    console.error(error?.stack ?? error);
    process.exit(1);
  }
}

// A promise that must be rejected with an error of a kind.
export async function refused(promise, type, check) {
  await assert.rejects(promise, error => {
    assert.ok(error instanceof type, `${error.constructor.name}: ${error.message}`);
    check(error);
    return true;
  });
}

// Waits until a condition holds; the test's own deadline ends a wait that never comes true.
export async function until(condition, what) {
  for (let i = 0; i < 600; i++) {
    if (await condition()) return;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error(`never came true: ${what}`);
}

export async function runningSequences() {
  const models = await (await fetch(`${http}/api/models`)).json();
  return models.find(m => m.model.model === model)?.load?.runningSequences ?? 0;
}
