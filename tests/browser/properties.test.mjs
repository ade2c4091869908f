// /cache_properties: how large the cache may get, and what goes first.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessible, checkPage, checkQuiet, checkValid } from './checks.mjs';
import { png } from './images.mjs';
import { press, typeInto } from './keyboard.mjs';
import { startRelay } from './relay.mjs';
import { bothWays, openPage, textOf, useSite } from './site.mjs';

const { site, browser } = useSite();

const url = () => `${site().url}/cache_properties`;
const now = (page) => page.locator('#now').innerText();
const cacheStats = async () => (await fetch(`${site().cacheUrl}/stats`)).json();

async function openProperties(options = {}, at = url()) {
  const page = await openPage(browser(), options);
  await page.goto(at);
  return page;
}

// Past the pages, as another person would.
async function configure(capacity, policy) {
  const response = await fetch(url(), {
    method: 'POST', body: new URLSearchParams({ max_capacity: capacity, replacement_policy: policy }),
  });
  assert.equal(response.status, 200);
}

async function end(page) {
  checkQuiet(page);
  await page.context().close();
}

test('the properties page is as all pages are', async () => {
  await checkPage(browser(), url());
  await checkPage(browser(), `${url()}?confirm=clear`);
});

test('after a change and after a mistake, too', async () => {
  for (const [capacity, status] of [['50', 200], ['nonsense', 400]]) {
    const page = await openProperties();
    await page.getByLabel('Capacity in MB').fill(capacity);
    const [response] = await Promise.all([
      page.waitForResponse((got) => got.request().method() === 'POST'),
      page.getByRole('button', { name: 'Save' }).click(),
    ]);
    assert.equal(response.status(), status);
    await checkValid(await response.text());
    await checkAccessible(page);
    await page.context().close();
  }
});

for (const { javaScriptEnabled, way } of bothWays) {
  test(`a change takes effect, and the page shows what the cache answers, ${way}`, async () => {
    await configure('100', 'lru');
    const page = await openProperties({ javaScriptEnabled });
    assert.match(await now(page), /100\.0 MB[^]*Least Recently Used/);
    await page.getByLabel('Capacity in MB').fill('64');
    await page.getByLabel('Random Replacement').check();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('now answers: 64.0 MB, Random Replacement.').waitFor();
    assert.match(await now(page), /64\.0 MB[^]*Random Replacement/);
    const stats = await cacheStats();
    assert.equal(stats.capacity_bytes, 64 * 1048576);
    assert.equal(stats.replacement, 'Random Replacement');
    // What it was before stands beside it.
    const change = await page.locator('#changes tbody tr').first().innerText();
    assert.match(change, /64 MB, Random Replacement\s+100 MB, Least Recently Used/);
    assert.equal(await page.getByLabel('Random Replacement').isChecked(), true);
    await end(page);
  });

  test(`a bad capacity keeps what was typed and says why, ${way}`, async () => {
    await configure('100', 'lru');
    const page = await openProperties({ javaScriptEnabled });
    await page.getByLabel('Capacity in MB').fill('1e9');
    await page.getByLabel('Random Replacement').check();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.locator('#max_capacity-error').waitFor();
    assert.match(await page.locator('#max_capacity-error').innerText(), /whole number/i);
    assert.equal(await page.getByLabel('Capacity in MB').inputValue(), '1e9');
    assert.equal(await page.getByLabel('Random Replacement').isChecked(), true);
    assert.equal((await cacheStats()).replacement, 'Least Recently Used');
    await page.context().close();
  });

  test(`the cache is cleared once one has said that one means it, ${way}`, async () => {
    await site().store('cleared', png(10, 10, [1, 2, 3]));
    await fetch(`${site().url}/images/cleared`);
    const page = await openProperties({ javaScriptEnabled });
    const ask = page.getByRole('button', { name: 'Clear the cache…' });
    await ask.click();
    const keep = page.getByText('Keep it').filter({ visible: true });
    await keep.click();
    assert.ok((await cacheStats()).curr_items > 0);
    await ask.click();
    await page.getByRole('button', { name: 'Clear the cache', exact: true }).click();
    await page.getByText('it holds 0 images now').waitFor();
    assert.equal((await cacheStats()).curr_items, 0);
    assert.deepEqual((await site().keys()).includes('cleared'), true);
    await end(page);
  });

  test(`all of it goes by keyboard alone, ${way}`, async () => {
    await configure('100', 'lru');
    const page = await openProperties({ javaScriptEnabled });
    await typeInto(page, page.getByLabel('Capacity in MB'), '32');
    await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowDown');
    await press(page, page.getByRole('button', { name: 'Save' }));
    await page.getByText('now answers: 32.0 MB, Random Replacement.').waitFor();
    await press(page, page.getByRole('button', { name: 'Clear the cache…' }));
    await press(page, page.getByRole('button', { name: 'Clear the cache', exact: true }));
    await page.getByText('The cache was cleared').waitFor();
    await end(page);
  });
}

test('the dialog of the question is accessible, and Escape closes it', async () => {
  const page = await openProperties();
  const ask = page.getByRole('button', { name: 'Clear the cache…' });
  await ask.click();
  await checkAccessible(page);
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('dialog').isVisible(), false);
  assert.equal(await ask.evaluate((element) => element === document.activeElement), true);
  await end(page);
});

test('on a phone one sees a change whole, what it was before included', async () => {
  await configure('100', 'lru');
  await configure('90', 'random');
  const page = await openProperties({ viewport: { width: 360, height: 740 } });
  const hidden = await page.locator('.changes').evaluate((frame) =>
    frame.scrollWidth - frame.clientWidth);
  assert.equal(hidden, 0);
  await end(page);
});

test('what one tab changes the other shows', async () => {
  await configure('100', 'lru');
  const one = await openProperties();
  const other = await openProperties();
  await one.getByLabel('Capacity in MB').fill('48');
  await one.getByLabel('Random Replacement').check();
  await one.getByRole('button', { name: 'Save' }).click();
  await other.locator('#now').getByText('48.0 MB').first().waitFor();
  await other.locator('#changes').getByText('48 MB').first().waitFor();
  assert.equal(await other.getByLabel('Capacity in MB').inputValue(), '48');
  assert.equal(await other.getByLabel('Random Replacement').isChecked(), true);
  assert.equal(await other.locator('#changed-elsewhere').isVisible(), false);
  await end(one);
  await end(other);
});

test('what is being typed is kept when another tab changes the settings', async () => {
  await configure('100', 'lru');
  const page = await openProperties();
  await page.getByLabel('Capacity in MB').fill('70');
  await configure('80', 'random');
  await page.locator('#changed-elsewhere').waitFor();
  await page.locator('#now').getByText('80.0 MB').first().waitFor();
  assert.equal(await page.getByLabel('Capacity in MB').inputValue(), '70');
  await end(page);
});

test('a page that can no longer be brought up to date says so, and recovers', async (t) => {
  const relay = await startRelay(t, site().url);
  const page = await openProperties({}, `${relay.url}/cache_properties`);
  relay.refuse();
  await page.locator('#live-problem').waitFor();
  assert.match(await textOf(page), /up to date/);
  relay.admit();
  await page.locator('#live-problem').waitFor({ state: 'hidden' });
  await page.context().close();
});
