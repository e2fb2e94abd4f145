import { button, bytes, count, element, facts, meter, redraw } from './dom.js';

const Colours = 8, Kept = 60, LeastInterval = 500;
const states = { SILO_STATE_ACTIVE: 'active', SILO_STATE_DRAINING: 'draining', SILO_STATE_UNREACHABLE: 'does not answer' };
const seen = new Map();

const nameOf = silo => silo.silo || silo.address;
const plural = (number, word) => `${number} ${word}${number === 1 ? '' : 's'}`;

// Tokens per second since the figures before, and those of the last minutes.
function speedOf(model, load, now) {
  const tokens = Number(load?.generatedTokens ?? 0);
  const past = seen.get(model) ?? { rates: [] };
  // A view that was drawn anew for a change says nothing of the speed.
  if (now - past.at < LeastInterval) return past.rates;
  if (past.at !== undefined && tokens >= past.tokens) {
    past.rates.push((tokens - past.tokens) * 1000 / (now - past.at));
    if (past.rates.length > Kept) past.rates.shift();
  } else if (past.tokens !== undefined && tokens < past.tokens) past.rates = [];
  past.at = now;
  past.tokens = tokens;
  seen.set(model, past);
  return past.rates;
}

function curve(rates) {
  const space = 'http://www.w3.org/2000/svg', most = Math.max(1, ...rates);
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', `0 0 ${Kept - 1} 20`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('class', 'curve');
  svg.setAttribute('aria-hidden', 'true');
  const from = Kept - rates.length;
  const line = rates.map((rate, i) => `${from + i},${(19 - rate / most * 18).toFixed(2)}`).join(' ');
  for (const [tag, points] of [['polygon', rates.length ? `${from},20 ${line} ${Kept - 1},20` : ''], ['polyline', line]]) {
    const shape = document.createElementNS(space, tag);
    shape.setAttribute('points', points);
    svg.append(shape);
  }
  return svg;
}

function tile(label, value, note) {
  const node = element('div', 'tile');
  node.append(element('dt', '', label), element('dd', '', value));
  if (note) node.append(element('dd', 'note', note));
  return node;
}

function summary(silos, loaded, speeds) {
  const sum = pick => loaded.reduce((total, model) => total + Number(pick(model) ?? 0), 0);
  const active = silos.filter(silo => silo.state === 'SILO_STATE_ACTIVE').length;
  const capacity = sum(m => m.memory?.kvCapacityBytes), used = sum(m => m.memory?.kvUsedBytes);
  const list = element('dl', 'tiles');
  list.append(
    tile('Silos', String(silos.length), active === silos.length ? 'all active' : `${active} active`),
    tile('Free memory', bytes(freeMemory(silos)), `on ${plural(new Set(silos.map(s => s.host).filter(Boolean)).size, 'machine')}`),
    tile('Tokens/s', speeds.reduce((total, rates) => total + (rates.at(-1) ?? 0), 0).toFixed(1), `${count(sum(m => m.load?.generatedTokens))} in all`),
    tile('Running', count(sum(m => m.load?.runningSequences)), `${count(sum(m => m.load?.waitingSequences))} waiting`),
    tile('KV cache', capacity ? `${(100 * used / capacity).toFixed(0)} %` : '–', capacity ? `of ${bytes(capacity)}` : 'nothing loaded'),
    tile('Recoveries', count(sum(m => m.load?.recoveries)), 'parts lost under answers'));
  return list;
}

// Silos of one machine have the same memory.
function freeMemory(silos) {
  const hosts = new Map();
  for (const silo of silos) hosts.set(silo.host, Math.max(hosts.get(silo.host) ?? 0, Number(silo.freeMemoryBytes)));
  return [...hosts.values()].reduce((a, b) => a + b, 0);
}

function siloCard(silo, colour, act) {
  const name = nameOf(silo), node = element('article', `silo ${colour}`);
  node.dataset.silo = name;
  const active = silo.state === 'SILO_STATE_ACTIVE', draining = silo.state === 'SILO_STATE_DRAINING';
  const head = element('div', 'head');
  head.append(element('span', 'dot'), element('h4', '', name), element('span', `badge ${active ? 'on' : draining ? 'warn' : 'bad'}`, states[silo.state] ?? silo.state), element('span', 'spacer'));
  if (active || draining) {
    const action = active ? 'drain' : 'resume';
    const change = button(active ? 'Drain' : 'Resume', `${active ? 'Drain' : 'Resume'} ${name}`, () => act(`/v1/silos/${encodeURIComponent(name)}:${action}`), 'small');
    change.dataset.focus = `silo ${name}`;
    head.append(change);
  }
  node.append(head);
  if (!active && !draining) return node;

  const held = silo.parts.reduce((total, part) => total + Number(part.weightBytes), 0), free = Number(silo.freeMemoryBytes);
  const memory = `${bytes(held)} of weights held, ${bytes(free)} free`;
  node.append(meter(held / Math.max(1, held + free), memory), element('p', 'caption', memory));
  node.append(facts([
    ['Threads', silo.threads], ['Reads', `${bytes(silo.readBytesPerSecond)}/s`], ['Int8', `${(silo.multiplyAddsPerSecond / 1e9).toFixed(1)} G/s`], ['Machine', silo.host.slice(0, 8)],
  ]));
  const labels = Object.entries(silo.labels ?? {});
  if (labels.length) node.append(chips(labels.map(([key, value]) => `${key}=${value}`), 'Labels'));
  if (silo.parts.length) {
    const parts = element('ul', 'parts');
    for (const part of silo.parts) {
      const item = element('li');
      item.append(element('strong', '', `${part.model}${part.replica ? ` #${part.replica}` : ''}`), ` ${part.part}`, element('span', 'size', Number(part.weightBytes) ? bytes(part.weightBytes) : ''));
      parts.append(item);
    }
    node.append(parts);
  } else node.append(element('p', 'caption', 'It holds nothing.'));
  if (silo.links?.length) node.append(chips(silo.links.map(link => `→ ${link.to} ${link.latencyMs.toFixed(2)} ms, ${bytes(link.bytesPerSecond)}/s`), 'Measured ways to other silos'));
  return node;
}

function chips(texts, label) {
  const list = element('ul', 'chips');
  list.setAttribute('aria-label', label);
  list.append(...texts.map(text => element('li', '', text)));
  return list;
}

function heatMap(stage, colourOf) {
  const own = { experts: stage.experts ?? [], visits: stage.expertVisits ?? [], siloName: stage.siloName, silo: stage.silo };
  const experts = [own, ...stage.expertGroups ?? []].flatMap(group => group.experts.map((expert, i) => ({ expert, visits: Number(group.visits[i] ?? 0), silo: group.siloName || group.silo })))
    .sort((a, b) => a.expert - b.expert);
  const most = Math.max(1, ...experts.map(e => e.visits)), sum = experts.reduce((total, e) => total + e.visits, 0);
  const box = element('div', 'experts');
  const map = element('div', 'heat');
  map.setAttribute('role', 'img');
  map.setAttribute('aria-label', `Visits of stage ${stage.stage}'s experts: ${experts.map(e => `${e.expert}: ${e.visits}`).join(', ')}`);
  for (const e of experts) {
    const cell = element('span', colourOf(e.silo));
    cell.title = `Expert ${e.expert} on ${e.silo}: ${count(e.visits)} visits${sum ? `, ${(100 * e.visits / sum).toFixed(1)} %` : ''}`;
    const heat = element('i');
    heat.style.opacity = (e.visits / most).toFixed(3);
    cell.append(heat);
    map.append(cell);
  }
  const groups = (stage.expertGroups ?? []).map(group => `${plural(group.experts.length, 'expert')} on ${group.siloName || group.silo} (${bytes(group.weightBytes)})`);
  if (own.experts.length) groups.unshift(`${plural(own.experts.length, 'expert')} with the stage on ${own.siloName || own.silo}`);
  box.append(map, element('span', 'caption', `${groups.join(', ')} · ${count(sum)} visits`));
  return box;
}

function lanes(description, colourOf) {
  const box = element('div', 'lanes');
  const replicas = Map.groupBy(description.stages, stage => stage.replica);
  for (const [replica, stages] of [...replicas].sort(([a], [b]) => a - b)) {
    const lane = element('div', 'lane');
    if (replicas.size > 1) lane.append(element('span', 'caption', `Replica ${replica}`));
    const list = element('ol', 'stages');
    list.setAttribute('aria-label', `Stages of replica ${replica} and the silos that hold them`);
    for (const stage of stages) {
      const silo = stage.siloName || stage.silo, item = element('li', colourOf(silo));
      item.style.flexGrow = stage.endLayer - stage.firstLayer;
      const extra = [stage.hasEmbedding && 'embedding', stage.hasHead && 'head'].filter(Boolean).join(' + ');
      item.append(element('strong', '', silo), element('span', '', `layers ${stage.firstLayer}–${stage.endLayer - 1}${extra ? `, ${extra}` : ''}`), element('span', '', bytes(stage.weightBytes)));
      list.append(item);
    }
    lane.append(list);
    for (const stage of stages.filter(s => s.expertGroups?.length || s.experts?.length)) lane.append(heatMap(stage, colourOf));
    box.append(lane);
  }
  return box;
}

function modelCard(description, rates, colourOf, act) {
  const { model, memory, load, prediction } = description;
  const node = element('article', 'model');
  node.dataset.deployment = model.model;
  const path = `/v1/deployments/${encodeURIComponent(model.model)}`;
  const head = element('div', 'head');
  const rebalance = button('Rebalance', `Rebalance ${model.model}`, () => act(`${path}:rebalance`), 'small');
  const unload = button('Unload', `Unload ${model.model}`, () => act(`${path}:unload`), 'small');
  rebalance.dataset.focus = `rebalance ${model.model}`;
  unload.dataset.focus = `unload ${model.model}`;
  head.append(element('h4', '', model.model), element('span', 'badge on', plural(new Set(description.stages.map(s => s.replica)).size, 'replica')), element('span', 'spacer'), rebalance, unload);
  node.append(head);

  const speed = element('div', 'speed');
  const now = element('div', 'now');
  now.append(element('strong', '', (rates.at(-1) ?? 0).toFixed(1)), element('span', 'caption', ' tokens/s'));
  speed.append(now, curve(rates));
  const kv = Number(memory?.kvCapacityBytes) ? Number(memory.kvUsedBytes) / Number(memory.kvCapacityBytes) : 0;
  const occupancy = `KV cache ${(100 * kv).toFixed(0)} % of ${bytes(memory?.kvCapacityBytes)}`;
  const cache = element('div', 'cache');
  cache.append(meter(kv, occupancy), element('span', 'caption', occupancy));
  speed.append(cache);
  node.append(speed, facts([
    ['Running', load?.runningSequences ?? 0], ['Waiting', load?.waitingSequences ?? 0], ['Prefix hits', `${(100 * (load?.prefixHitRate ?? 0)).toFixed(0)} %`],
    ['Recoveries', count(load?.recoveries)], ['Predicted', prediction ? `${prediction.decodeTokensPerSecond.toFixed(1)} tokens/s` : '–'],
    ['Between silos', prediction ? `${bytes(prediction.wireBytesPerToken)} per token` : '–'],
  ]), lanes(description, colourOf));
  if (prediction) {
    const why = element('p', 'caption', [prediction.reasons.join(' '), prediction.bottleneck && `Bottleneck: ${prediction.bottleneck}`].filter(Boolean).join(' '));
    node.append(why);
  }
  return node;
}

// Draws the view: figures, silos, and what is loaded on them.
export function renderCluster(root, silos, models, act) {
  const colours = new Map([...silos].map(nameOf).sort().map((name, index) => [name, `s${index % Colours}`]));
  const colourOf = name => colours.get(name) ?? 'gone';
  const loaded = models.filter(description => description.model.state === 'MODEL_STATE_LOADED');
  const now = performance.now(), speeds = loaded.map(description => speedOf(description.model.model, description.load, now));
  const grid = element('div', 'silos');
  grid.append(...silos.map(silo => siloCard(silo, colourOf(nameOf(silo)), act)));
  const cards = loaded.map((description, i) => modelCard(description, speeds[i], colourOf, act));
  redraw(root, [
    summary(silos, loaded, speeds), element('h3', '', 'Silos'), grid, element('h3', '', 'Loaded models'),
    ...cards.length ? cards : [element('p', 'hint', 'No model is loaded. The first request for one loads it, or load one above.')],
  ]);
}
