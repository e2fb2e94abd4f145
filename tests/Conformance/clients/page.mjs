// The web page in a real browser. SLM_CHROMIUM is the browser's path; SLM_SHOTS, if set, a folder for screenshots.
import assert from 'node:assert/strict';
import process from 'node:process';
import { chromium } from 'playwright-core';
import { http, model, run, runningSequences, until } from './check.mjs';

async function withPage(action, options = {}) {
  const browser = await chromium.launch({
    executablePath: process.env.SLM_CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1200, height: 800 }, ...options });
    const problems = [];
    page.on('pageerror', error => problems.push(String(error)));
    page.on('console', message => message.type() === 'error' && problems.push(message.text()));
    page.on('request', request => new URL(request.url()).origin === new URL(http).origin || problems.push(`outside request: ${request.url()}`));
    await page.goto(http);
    await page.waitForFunction(name => [...document.querySelectorAll('#model option')].some(o => o.value === name), model);
    await page.selectOption('#model', model);
    await action(page);
    assert.deepEqual(problems, []);
  } finally {
    await browser.close();
  }
}

const shot = (page, name) => process.env.SLM_SHOTS ? page.screenshot({ path: `${process.env.SLM_SHOTS}/${name}.png` }) : null;
const generated = page => page.evaluate(() => Number(document.querySelector('.tiles').innerText.match(/([\d,]+) in all/)[1].replaceAll(',', '')));
const stopped = page => page.waitForFunction(() => document.querySelector('#stop').disabled);

// What a cluster of four silos says, one of which does not answer, with a mixture of experts in two copies.
function pictured() {
  const silo = (name, threads, free, read, parts, links) => ({
    silo: name, address: `10.0.0.${threads}:11111@4`, host: `${name}0b1c2d3e4f-77`, state: 'SILO_STATE_ACTIVE', labels: { zone: threads > 4 ? 'east' : 'west' }, threads,
    freeMemoryBytes: String(free * 2 ** 30), readBytesPerSecond: read * 1e9, multiplyAddsPerSecond: threads * 48e9, parts, links: links.map(([to, latencyMs]) => ({ to, latencyMs, bytesPerSecond: 1.1e9 })),
  });
  const part = (model, replica, text, mib) => ({ model, replica, part: text, weightBytes: String(mib * 2 ** 20) });
  const group = (number, siloName, first, visits) => ({ group: number, silo: '', siloName, weightBytes: String(612 * 2 ** 20), experts: visits.map((_, i) => first + i), visits: visits.map(String) });
  const stage = (replica, number, firstLayer, endLayer, siloName, mib, expertGroups = [], visits = []) => ({
    replica, stage: number, firstLayer, endLayer, silo: '', siloName, weightBytes: String(mib * 2 ** 20), hasEmbedding: firstLayer === 0, hasHead: endLayer === 24, expertGroups,
    experts: visits.map((_, i) => i), expertVisits: visits.map(String),
  });
  return {
    silos: [
      silo('a', 8, 21.4, 38, [part('mixture', 0, 'coordinator', 0), part('mixture', 0, 'stage 0, layers 0-15', 1210)], [['b', 0.21], ['c', 0.34]]),
      silo('b', 4, 9.1, 17, [part('mixture', 0, 'stage 1, layers 16-23', 640), part('mixture', 0, 'experts 0-7, layers 0-23', 612)], [['a', 0.22], ['c', 0.31]]),
      silo('c', 6, 12.8, 24, [part('mixture', 1, 'coordinator', 0), part('mixture', 1, 'stage 0, layers 0-23', 3074), part('mixture', 0, 'experts 8-15, layers 0-23', 612)], [['a', 0.33], ['b', 0.3]]),
      { silo: '', address: '10.0.0.5:11111@9', host: '', state: 'SILO_STATE_UNREACHABLE', labels: {}, threads: 0, freeMemoryBytes: '0', readBytesPerSecond: 0, multiplyAddsPerSecond: 0, parts: [], links: [] },
    ],
    models: [{
      model: { model: 'mixture', state: 'MODEL_STATE_LOADED' }, layers: 24,
      memory: { weightBytes: '0', kvCapacityBytes: String(2 ** 30), kvUsedBytes: String(0.37 * 2 ** 30) },
      load: { runningSequences: 11, waitingSequences: 2, kvOccupancy: 0.37, generatedTokens: '48210', promptTokens: '91000', prefixHitRate: 0.62, recoveries: '1' },
      stages: [
        stage(0, 0, 0, 16, 'a', 1210, [group(0, 'b', 0, [120, 310, 44, 900, 12, 405, 77, 266]), group(1, 'c', 8, [512, 98, 3, 640, 231, 180, 55, 310])]),
        stage(0, 1, 16, 24, 'b', 640, [group(0, 'b', 0, [80, 22, 310, 12, 505, 90, 7, 166]), group(1, 'c', 8, [61, 480, 33, 140, 93, 18, 555, 40])]),
        stage(1, 0, 0, 24, 'c', 3074, [], [61, 480, 33, 140, 93, 18, 555, 40, 120, 310, 44, 900, 12, 405, 77, 266]),
      ],
      prediction: {
        decodeTokensPerSecond: 41.3, prefillTokensPerSecond: 610, wireBytesPerToken: '12288', memory: [], bottleneck: 'reading weights on a',
        reasons: ['The model does not fit on one silo of replica 0, so it is split by layers.'],
      },
    }, { model: { model: 'idle', state: 'MODEL_STATE_AVAILABLE' }, stages: [] }],
  };
}

run({
  async a_chat_streams_an_answer_with_its_speed() {
    await withPage(async page => {
      await page.getByLabel('Message').fill('A shy fox and a kind girl look for a lost red ball.');
      await page.getByLabel('Seed').fill('3');
      await page.getByRole('button', { name: 'Send' }).click();
      await page.waitForSelector('.turn.assistant');
      await stopped(page);
      assert.ok((await page.locator('.turn.assistant').innerText()).length > 40);
      assert.match(await page.locator('#stats').innerText(), /\d+ tokens · [\d.]+ tokens\/s/);
      await shot(page, 'chat');
    });
  },

  async a_completion_continues_the_text() {
    await withPage(async page => {
      await page.getByRole('tab', { name: 'Complete' }).click();
      await page.getByLabel('Beginning of the text').fill('Once upon a time there was');
      await page.keyboard.press('Enter');
      await page.waitForSelector('.turn.assistant');
      await stopped(page);
      const text = await page.locator('.turn.assistant').innerText();
      assert.ok(text.startsWith('Once upon a time there was') && text.length > 60, text);
      await shot(page, 'complete');
    });
  },

  async stop_ends_a_generation_at_once() {
    await withPage(async page => {
      await page.route('**/v1/chat/completions', async route => {
        const body = { ...route.request().postDataJSON(), ignore_eos: true };
        await route.continue({ postData: JSON.stringify(body) });
      });
      await page.getByLabel('Longest answer').fill('100000');
      await page.getByLabel('Message').fill('Go on.');
      // A small model is done in less time than a click takes from outside: the page itself presses the button.
      await page.evaluate(() => {
        const observer = new MutationObserver(() => {
          if (!document.querySelector('.turn.assistant')?.textContent) return;
          observer.disconnect();
          document.querySelector('#stop').click();
        });
        observer.observe(document.querySelector('#log'), { childList: true, characterData: true, subtree: true });
      });
      await page.getByRole('button', { name: 'Send' }).click();
      await page.waitForSelector('.turn.stopped');
      await stopped(page);
      assert.equal(await page.locator('.turn.stopped').count(), 1);
      await until(async () => await runningSequences() === 0, 'no sequence runs after stop');
    });
  },

  async the_models_view_shows_stages_and_load() {
    await withPage(async page => {
      await page.getByRole('tab', { name: 'Models' }).click();
      const card = page.locator(`[data-model="${model}"]`);
      await card.waitFor();
      if (await card.getByRole('button', { name: /^Load/ }).count()) await card.getByRole('button', { name: /^Load/ }).click();
      await card.locator('.stages li').first().waitFor();
      assert.match(await card.innerText(), /Layers 0–/);
      await shot(page, 'models');
    });
  },

  async the_cluster_view_loads_a_placement_and_shows_where_it_is() {
    await withPage(async page => {
      await page.getByRole('tab', { name: 'Cluster' }).click();
      const silo = page.locator('.silo').first();
      await silo.waitFor();
      assert.match(await silo.innerText(), /active[\s\S]*Threads[\s\S]*Int8/);
      await page.getByText('Load a model').click();
      await page.locator('#place-model').selectOption(model);
      await page.getByLabel('Stages', { exact: true }).fill('2');
      await page.locator('#placement').getByRole('button', { name: 'Load' }).click();
      const card = page.locator(`[data-deployment="${model}"]`);
      await card.locator('.stages li').nth(1).waitFor();
      assert.equal(await card.locator('.stages li').count(), 2);
      assert.match(await silo.innerText(), /stage 1, layers/);

      // Figures follow a generation without a click.
      const before = await generated(page);
      await fetch(`${http}/v1/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model, prompt: 'Once', max_tokens: 40, ignore_eos: true }) });
      await page.waitForFunction(tokens => Number(document.querySelector('.tiles').innerText.match(/([\d,]+) in all/)[1].replaceAll(',', '')) >= tokens + 40, before);
      await shot(page, 'cluster');
      await card.getByRole('button', { name: /^Rebalance/ }).click();
      await card.locator('.stages li').first().waitFor();
      assert.equal(await page.locator('#error').innerText(), '');
    }, { viewport: { width: 1200, height: 1300 } });
  },

  async a_cluster_of_several_silos_shows_replicas_and_experts_and_is_operated() {
    await withPage(async page => {
      const cluster = pictured();
      const asked = [];
      await page.route('**/v1/silos', route => route.fulfill({ json: { silos: cluster.silos } }));
      await page.route('**/api/models', route => {
        cluster.models[0].load.generatedTokens = String(Number(cluster.models[0].load.generatedTokens) + 83);
        return route.fulfill({ json: cluster.models });
      });
      await page.route(/v1\/(silos|deployments)\/.*:/, route => {
        const path = new URL(route.request().url()).pathname;
        asked.push(path);
        if (path.includes('silos')) cluster.silos[1].state = path.endsWith(':drain') ? 'SILO_STATE_DRAINING' : 'SILO_STATE_ACTIVE';
        return route.fulfill({ json: {} });
      });
      await page.getByRole('tab', { name: 'Cluster' }).click();
      const card = page.locator('[data-deployment="mixture"]');
      await card.waitFor();
      assert.equal(await page.locator('.silo').count(), 4);
      assert.match(await page.locator('[data-silo="10.0.0.5:11111@9"]').innerText(), /does not answer/);
      assert.deepEqual(await card.locator('.stages').evaluateAll(lists => lists.map(list => list.children.length)), [2, 1]);

      // The experts in their order, the most visited one the darkest, each in the colour of its silo.
      const cells = await card.locator('.heat').first().locator('span').evaluateAll(nodes => nodes.map(node => [node.title, Number(node.firstChild.style.opacity), node.className]));
      assert.equal(cells.length, 16);
      assert.match(cells[3][0], /^Expert 3 on b: 900 visits/);
      assert.deepEqual(cells.map(cell => cell[1]).indexOf(1), 3);
      assert.deepEqual([cells[0][2], cells[15][2]], ['s2', 's3']);
      const own = await card.locator('.heat').last().locator('span').evaluateAll(nodes => nodes.map(node => [node.title, node.className]));
      assert.equal(own.length, 16);
      assert.match(own[11][0], /^Expert 11 on c: 900 visits/);
      assert.ok(own.every(cell => cell[1] === 's3'));
      assert.match(await card.locator('.experts').last().innerText(), /16 experts with the stage on c · 3,554 visits/);

      // From the keyboard: the focus stays where it was while the view is drawn anew.
      await page.getByRole('button', { name: 'Drain b' }).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Resume b' }).waitFor();
      assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Resume b');
      await page.waitForFunction(() => document.querySelector('.curve polyline').points.length >= 3);
      await shot(page, 'cluster-several');
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Drain b' }).waitFor();
      await page.getByRole('button', { name: 'Rebalance mixture' }).click();
      await page.getByRole('button', { name: 'Unload mixture' }).click();
      await page.waitForFunction(() => document.querySelector('#error').textContent === '');
      await until(() => asked.length === 4, 'four calls');
      assert.deepEqual(asked, ['/v1/silos/b:drain', '/v1/silos/b:resume', '/v1/deployments/mixture:rebalance', '/v1/deployments/mixture:unload']);
      await page.emulateMedia({ colorScheme: 'dark' });
      await shot(page, 'cluster-several-dark');
    }, { viewport: { width: 1280, height: 1500 } });
  },

  async a_placement_that_cannot_be_is_refused_in_words() {
    await withPage(async page => {
      await page.getByRole('tab', { name: 'Cluster' }).click();
      await page.getByText('Load a model').click();
      await page.locator('#place-model').selectOption(model);
      await page.getByLabel('Or a map').fill('0-7@nowhere');
      await page.locator('#placement').getByRole('button', { name: 'Load' }).click();
      await page.waitForFunction(() => document.querySelector('#error').textContent.includes('nowhere'));
    }).catch(error => {
      // The browser itself logs the 400 as an error; nothing else may go wrong.
      if (!/400/.test(error.message)) throw error;
    });
  },

  async the_page_works_from_the_keyboard_and_names_its_controls() {
    await withPage(async page => {
      const unnamed = await page.evaluate(() => [...document.querySelectorAll('input, select, textarea, button')]
        .filter(e => !e.labels?.length && !e.getAttribute('aria-label') && !e.textContent.trim()).map(e => e.outerHTML));
      assert.deepEqual(unnamed, []);
      await page.getByRole('tab', { name: 'Chat' }).focus();
      await page.keyboard.press('ArrowRight');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'tab-complete');
      assert.equal(await page.getByRole('tab', { name: 'Complete' }).getAttribute('aria-selected'), 'true');
      assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
    });
  },

  async a_narrow_dark_screen_has_no_sideways_scroll() {
    await withPage(async page => {
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
      await shot(page, 'narrow-dark');
      await page.getByRole('tab', { name: 'Cluster' }).click();
      await page.locator('.silo').first().waitFor();
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
      await shot(page, 'cluster-narrow-dark');
    }, { viewport: { width: 380, height: 760 }, colorScheme: 'dark' });
  },

  async a_server_error_is_shown() {
    await withPage(async page => {
      await page.evaluate(() => { document.querySelector('#temperature').max = ''; });
      await page.getByLabel('Temperature').fill('1000');
      await page.getByLabel('Message').fill('x');
      await page.evaluate(() => document.querySelector('#composer').requestSubmit());
      await page.waitForFunction(() => document.querySelector('#error').textContent.includes('temperature'));
    }).catch(error => {
      // The browser itself logs the 400 as an error; nothing else may go wrong.
      if (!/400/.test(error.message)) throw error;
    });
  },
});
