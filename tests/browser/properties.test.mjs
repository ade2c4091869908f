// /cache_properties: how large the cache may get, and what goes first.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkPage } from './checks.mjs';
import { bothWays, openPage, textOf, useSite } from './site.mjs';

const { site, browser } = useSite();

test('the properties page is as all pages are', async () => {
  await checkPage(browser(), `${site().url}/cache_properties`);
});

for (const { javaScriptEnabled, way } of bothWays) {
  test(`a bad capacity keeps what was typed and says why, ${way}`, async () => {
    const page = await openPage(browser(), { javaScriptEnabled });
    await page.goto(`${site().url}/cache_properties`);
    await page.fill('input[name=max_capacity]', '1e9');
    await page.click('button:text("Save")');
    await page.waitForLoadState();
    assert.equal(await page.inputValue('input[name=max_capacity]'), '1e9');
    assert.match(await textOf(page), /whole number/i);

    await page.fill('input[name=max_capacity]', '64');
    await page.selectOption('select[name=replacement_policy]', 'Random Replacement');
    await page.click('button:text("Save")');
    await page.waitForLoadState();
    const stats = await (await fetch(`${site().cacheUrl}/stats`)).json();
    assert.equal(stats.capacity_bytes, 64 * 1048576);
    assert.equal(stats.replacement, 'Random Replacement');
    await page.context().close();
  });
}
