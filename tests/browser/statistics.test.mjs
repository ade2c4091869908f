// /cache_stats: what the cache has been doing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkQuiet, checkValid } from './checks.mjs';
import { openPage, useSite } from './site.mjs';

const { site, browser } = useSite();

test('the statistics page is valid', async () => {
  await checkValid(await (await fetch(`${site().url}/cache_stats`)).text());
});

test('the statistics page draws five charts from live samples', async () => {
  const page = await openPage(browser());
  await page.goto(`${site().url}/cache_stats`);
  await page.waitForSelector('#charts .chart canvas', { state: 'visible' });
  assert.equal(await page.locator('#charts .chart:has(canvas)').count(), 5);
  for (const readout of await page.locator('#charts .readout').allInnerTexts()) {
    if (readout !== '') assert.match(readout, / at [0-2]\d:\d\d:\d\d UTC$/);
  }
  assert.match(await page.locator('#charts .readout').first().innerText(), /UTC$/);
  checkQuiet(page);
  await page.context().close();
});

test('without JavaScript the statistics are a table', async () => {
  const page = await openPage(browser(), { javaScriptEnabled: false });
  await page.goto(`${site().url}/cache_stats`);
  assert.ok((await page.locator('tbody tr').count()) > 0);
  await page.context().close();
});
