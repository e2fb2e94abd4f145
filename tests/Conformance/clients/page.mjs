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
const stopped = page => page.waitForFunction(() => document.querySelector('#stop').disabled);

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
