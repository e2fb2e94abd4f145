import { button, bytes, count, element, facts, redraw } from './dom.js';

const states = {
  MODEL_STATE_AVAILABLE: 'on disk', MODEL_STATE_LOADING: 'loading', MODEL_STATE_LOADED: 'loaded',
  MODEL_STATE_UNLOADING: 'unloading', MODEL_STATE_FAILED: 'failed',
};

function factsOf(description) {
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
  return facts(list);
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
      element('span', '', `${extra ? `${extra}, ` : ''}${bytes(stage.weightBytes)}`), element('br'), element('span', '', stage.siloName || stage.silo));
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
  const action = loaded ? 'unload' : 'load', label = loaded ? 'Unload' : 'Load';
  const press = button(label, `${label} ${model.model}`, () => change(`/v1/deployments/${encodeURIComponent(model.model)}:${action}`));
  press.disabled = !loaded && model.state !== 'MODEL_STATE_AVAILABLE';
  press.dataset.focus = model.model;
  head.append(press);
  node.append(head);
  if (model.error) node.append(element('p', 'hint', model.error));
  else node.append(factsOf(description));
  if (loaded) node.append(stages(description));
  return node;
}

// Draws the model cards anew.
export function renderModels(root, models, change) {
  redraw(root, models.length ? models.map(description => card(description, change)) : [element('p', 'hint', 'No model was found in the model folder.')]);
}
