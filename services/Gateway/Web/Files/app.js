import { streamEvents } from './sse.js';
import { renderModels } from './models.js';
import { renderCluster } from './cluster.js';

const $ = id => document.getElementById(id);
const hints = {
  chat: 'Say what the model should write about. With the stories model: “A shy fox and a kind girl look for a lost red ball.”',
  complete: 'Write the beginning; the model goes on. With the stories model: “Once upon a time there was a little robot who”.',
};
const labels = { chat: 'Message', complete: 'Beginning of the text' };

let mode = 'chat';
let history = [];
let running = null;
let viewTimer = null;

// The key lives as long as the tab. Who declines to give one is not asked again until the page is loaded anew.
let declined = false;

async function call(path, options = {}) {
  const key = sessionStorage.getItem('api-key');
  const response = await fetch(path, key ? { ...options, headers: { ...options.headers, authorization: `Bearer ${key}` } } : options);
  if (response.status === 401 && sessionStorage.getItem('api-key') !== key) return call(path, options); // given meanwhile
  if (response.status === 401 && !declined) {
    const given = window.prompt('This server asks for an API key:');
    declined = !given;
    if (given) {
      sessionStorage.setItem('api-key', given.trim());
      return call(path, options);
    }
  }
  if (!response.ok) {
    const body = await response.json().catch(() => null);
    throw new Error(body?.error?.message ?? body?.message ?? `The server answered ${response.status}.`);
  }
  return response;
}

function showError(error) {
  $('error').textContent = error ? error.message : '';
}

// ---- views ----------------------------------------------------------------------------------------------------------

const tabs = ['chat', 'complete', 'models', 'cluster'];
const watched = { models: refreshModels, cluster: refreshCluster };

function select(name, focus) {
  for (const tab of tabs) {
    $(`tab-${tab}`).setAttribute('aria-selected', tab === name);
    $(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
  }
  if (focus) $(`tab-${name}`).focus();
  for (const view of Object.keys(watched)) $(`view-${view}`).hidden = view !== name;
  $('view-generate').hidden = name in watched;
  clearTimeout(viewTimer);
  if (name in watched) {
    watch(name);
    return;
  }
  $('view-generate').setAttribute('aria-labelledby', `tab-${name}`);
  if (mode !== name) {
    mode = name;
    clear();
  }
  $('prompt-label').textContent = labels[mode];
}

for (const [index, tab] of tabs.entries()) {
  $(`tab-${tab}`).addEventListener('click', () => select(tab));
  $(`tab-${tab}`).addEventListener('keydown', event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) select(tabs[(index + step + tabs.length) % tabs.length], true);
  });
}

function clear() {
  running?.abort();
  history = [];
  $('log').replaceChildren();
  const hint = document.createElement('p');
  hint.id = 'hint';
  hint.className = 'hint';
  hint.textContent = hints[mode];
  $('log').append(hint);
  $('stats').value = '';
  showError(null);
}

$('clear').addEventListener('click', clear);

// ---- generation -----------------------------------------------------------------------------------------------------

function addTurn(role, text) {
  $('hint')?.remove();
  const turn = document.createElement('div');
  turn.className = `turn ${role}`;
  turn.textContent = text;
  $('log').append(turn);
  $('log').scrollTop = $('log').scrollHeight;
  return turn;
}

function settings() {
  const body = {
    model: $('model').value,
    stream: true,
    stream_options: { include_usage: true },
    temperature: $('temperature').valueAsNumber,
    top_p: $('top-p').valueAsNumber,
    max_tokens: $('max-tokens').valueAsNumber,
  };
  if ($('seed').value !== '') body.seed = $('seed').valueAsNumber;
  return body;
}

async function generate(prompt) {
  showError(null);
  let path, body, turn;
  if (mode === 'chat') {
    history.push({ role: 'user', content: prompt });
    addTurn('user', prompt);
    turn = addTurn('assistant', '');
    [path, body] = ['/v1/chat/completions', { ...settings(), messages: history }];
  } else {
    turn = addTurn('assistant', '');
    const given = document.createElement('span');
    given.className = 'prompt';
    given.textContent = prompt;
    turn.append(given);
    [path, body] = ['/v1/completions', { ...settings(), prompt }];
  }
  const answer = document.createTextNode('');
  turn.append(answer);
  turn.classList.add('busy');

  const controller = running = new AbortController();
  $('send').disabled = true;
  $('stop').disabled = false;
  const begin = performance.now();
  let first = null, pieces = 0, usage = null;
  const stats = () => {
    const tokens = usage?.completion_tokens ?? pieces;
    const seconds = (performance.now() - (first ?? begin)) / 1000;
    // The first token belongs to the prefill; the rate is of those after it.
    const rate = tokens > 1 && seconds > 0 ? `${((tokens - 1) / seconds).toFixed(1)} tokens/s` : '';
    $('stats').value = [first && `first token after ${(first - begin).toFixed(0)} ms`, `${tokens} tokens`, rate].filter(Boolean).join(' · ');
  };
  try {
    const response = await call(path, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal: controller.signal,
    });
    for await (const event of streamEvents(response.body)) {
      if (event.error) throw new Error(event.error.message);
      usage = event.usage ?? usage;
      const choice = event.choices[0];
      const text = choice?.delta?.content ?? choice?.text ?? '';
      if (!text) continue;
      first ??= performance.now();
      pieces++;
      answer.data += text;
      $('log').scrollTop = $('log').scrollHeight;
      stats();
    }
    stats();
  } catch (error) {
    if (error.name === 'AbortError') turn.classList.add('stopped');
    else showError(error);
  } finally {
    turn.classList.remove('busy');
    if (running === controller) {
      running = null;
      $('send').disabled = false;
      $('stop').disabled = true;
    }
    if (mode === 'chat' && turn.isConnected) {
      if (answer.data) history.push({ role: 'assistant', content: answer.data });
      else {
        history.pop();
        turn.remove();
      }
    }
  }
}

$('composer').addEventListener('submit', event => {
  event.preventDefault();
  if (running || !$('settings').reportValidity()) return;
  const prompt = $('prompt').value;
  if (!prompt) return;
  if (mode === 'chat') $('prompt').value = '';
  generate(prompt);
});

$('prompt').addEventListener('keydown', event => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $('composer').requestSubmit();
  }
});

$('stop').addEventListener('click', () => running?.abort());
$('settings').addEventListener('submit', event => event.preventDefault());

// ---- models and cluster ---------------------------------------------------------------------------------------------

const shown = name => !$(`view-${name}`).hidden;

// Draws a view now and two seconds after each answer, for as long as it is shown.
async function watch(name) {
  clearTimeout(viewTimer);
  try {
    await watched[name]();
    if (!changing) showError(failure);
  } catch (error) {
    showError(error);
  }
  if (shown(name)) {
    clearTimeout(viewTimer);
    viewTimer = setTimeout(() => watch(name), 2000);
  }
}

async function refreshModels() {
  renderModels($('models'), await (await call('/api/models')).json(), change);
  $('models').setAttribute('aria-busy', 'false');
}

async function refreshCluster() {
  const [silos, models] = await Promise.all([call('/v1/silos'), call('/api/models')].map(async answer => (await answer).json()));
  renderCluster($('cluster'), silos.silos, models, change);
  const names = models.filter(d => d.model.state !== 'MODEL_STATE_FAILED').map(d => d.model.model);
  const select = $('place-model');
  if (names.join() !== [...select.options].map(o => o.value).join()) select.replaceChildren(...names.map(model => new Option(model, model)));
  $('cluster').setAttribute('aria-busy', 'false');
}

// A refusal stays on the page until the next change.
let changing = 0, failure = null;

async function change(path, body = {}) {
  changing++;
  failure = null;
  showError(null);
  try {
    await call(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  } catch (error) {
    failure = error;
  } finally {
    changing--;
  }
  await watch(Object.keys(watched).find(shown) ?? 'models');
}

$('placement').addEventListener('submit', event => {
  event.preventDefault();
  const placement = { wire: $('place-wire').value };
  for (const [field, id] of [['stages', 'place-stages'], ['replicas', 'place-replicas'], ['expertGroups', 'place-experts']])
    if ($(id).value !== '') placement[field] = $(id).valueAsNumber;
  if ($('place-map').value.trim()) placement.map = $('place-map').value.trim();
  change(`/v1/deployments/${encodeURIComponent($('place-model').value)}:load`, { placement });
});

async function start() {
  clear();
  try {
    const { data } = await (await call('/v1/models')).json();
    $('model').replaceChildren(...data.map(model => new Option(model.id, model.id)));
    if (data.length === 0) showError(new Error('No model was found. Put a .gguf file into the model folder and reload this page.'));
  } catch (error) {
    showError(error);
  }
}

start();
