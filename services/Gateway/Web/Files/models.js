const states = {
  MODEL_STATE_AVAILABLE: 'on disk', MODEL_STATE_LOADING: 'loading', MODEL_STATE_LOADED: 'loaded',
  MODEL_STATE_UNLOADING: 'unloading', MODEL_STATE_FAILED: 'failed',
};

function bytes(value) {
  let amount = Number(value ?? 0), unit = 0;
  while (amount >= 1024 && unit < 3) { amount /= 1024; unit++; }
  return `${amount.toFixed(unit && amount < 100 ? 1 : 0)} ${['B', 'KiB', 'MiB', 'GiB'][unit]}`;
}

function count(value) {
  const amount = Number(value ?? 0);
  if (amount >= 1e9) return `${(amount / 1e9).toFixed(2)} B`;
  if (amount >= 1e6) return `${(amount / 1e6).toFixed(2)} M`;
  return amount.toLocaleString('en');
}

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function facts(description) {
  const { model, memory, load } = description;
  const list = [
    ['Architecture', model.architecture], ['Parameters', count(model.parameters)], ['Quantization', model.quantization],
    ['Layers', description.layers], ['Context', `${model.contextLength} tokens`], ['File', bytes(model.fileBytes)],
  ];
  if (model.state === 'MODEL_STATE_LOADED') {
    list.push(
      ['Weights', bytes(memory?.weightBytes)],
      ['KV cache', `${bytes(memory?.kvUsedBytes)} of ${bytes(memory?.kvCapacityBytes)}`],
      ['Running', load?.runningSequences ?? 0], ['Waiting', load?.waitingSequences ?? 0],
      ['Prompt tokens', count(load?.promptTokens)], ['Generated tokens', count(load?.generatedTokens)]);
  }
  const dl = element('dl');
  for (const [name, value] of list) {
    const pair = element('div');
    pair.append(element('dt', '', name), element('dd', '', value ?? '–'));
    dl.append(pair);
  }
  return dl;
}

function stages(description) {
  const list = element('ol', 'stages');
  list.setAttribute('aria-label', 'Stages and the silos that hold them');
  for (const stage of description.stages ?? []) {
    const item = element('li');
    item.style.flexGrow = stage.endLayer - stage.firstLayer;
    const extra = [stage.hasEmbedding && 'embedding', stage.hasHead && 'head'].filter(Boolean).join(' + ');
    item.append(
      element('strong', '', `Layers ${stage.firstLayer}–${stage.endLayer - 1}`), element('br'),
      element('span', '', `${extra ? `${extra}, ` : ''}${bytes(stage.weightBytes)}`), element('br'), element('span', '', stage.silo));
    list.append(item);
  }
  return list;
}

function card(description, change) {
  const { model } = description;
  const node = element('article', 'model');
  node.dataset.model = model.model;
  const loaded = model.state === 'MODEL_STATE_LOADED';
  const head = element('div', 'head');
  head.append(element('h3', '', model.model),
    element('span', `badge ${loaded ? 'on' : model.state === 'MODEL_STATE_FAILED' ? 'bad' : ''}`, states[model.state] ?? model.state),
    element('span', 'spacer'));
  const button = element('button', '', loaded ? 'Unload' : 'Load');
  button.type = 'button';
  button.setAttribute('aria-label', `${button.textContent} ${model.model}`);
  button.disabled = !loaded && model.state !== 'MODEL_STATE_AVAILABLE';
  button.addEventListener('click', () => change(model.model, loaded ? 'unload' : 'load'));
  head.append(button);
  node.append(head);
  if (model.error) node.append(element('p', 'hint', model.error));
  else node.append(facts(description));
  if (loaded) node.append(stages(description));
  return node;
}

// Draws the model cards anew, keeping the keyboard focus where it was.
export function renderModels(root, models, change) {
  const focused = document.activeElement?.closest?.('.model')?.dataset.model;
  root.replaceChildren(...models.map(description => card(description, change)));
  if (models.length === 0) root.append(element('p', 'hint', 'No model was found in the model folder.'));
  if (focused) root.querySelector(`[data-model="${CSS.escape(focused)}"] button`)?.focus();
}
