// What the pages share: where one is, and the way past the navigation.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { press } from './keyboard.mjs';
import { openPage, pagePaths, useSite } from './site.mjs';

const { site, browser } = useSite();

test('the navigation marks the page that one is on, and only that', async () => {
  const page = await openPage(browser());
  for (const path of pagePaths) {
    await page.goto(site().url + path);
    const current = page.locator('[aria-current=page]');
    assert.equal(await current.count(), 1, path);
    assert.equal(await current.getAttribute('href'), path);
    const line = await current.evaluate((link) => getComputedStyle(link).borderBottomColor);
    assert.notEqual(line, 'rgba(0, 0, 0, 0)', `${path}: one sees it`);
  }
  await page.context().close();
});

test('by keyboard one skips the navigation, or goes to each page by it', async () => {
  const page = await openPage(browser());
  for (const path of pagePaths.slice(1)) {
    await page.goto(`${site().url}/`);
    await press(page, page.locator(`header a[href="${path}"]`));
    await page.waitForURL(site().url + path);
  }
  await page.keyboard.press('Tab');
  const skip = page.locator('.skip');
  assert.ok(await skip.evaluate((link) => link === document.activeElement), 'it comes first');
  assert.ok((await skip.boundingBox()).x >= 0, 'it can be seen');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await page.context().close();
});
