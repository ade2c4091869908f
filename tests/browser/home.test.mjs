// /: what this is, how it is doing, where to go.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { checkAccessible, checkPage, checkQuiet } from './checks.mjs';
import { png } from './images.mjs';
import { press } from './keyboard.mjs';
import { bothWays, openPage, textOf, useSite } from './site.mjs';

const { site, browser } = useSite();

beforeEach(() => site().clear());

const figure = (page, name) =>
  page.locator('.tiles > div', { has: page.getByText(name, { exact: true }) }).locator('dd').first();

test('the home page is as all pages are, with an empty store and with images', async () => {
  await checkPage(browser(), `${site().url}/`);
  for (let i = 0; i < 9; ++i) await site().store(`image ${i}`, png(40, 30, [200, 80, 20], 100_000));
  await checkPage(browser(), `${site().url}/`);
});

for (const { javaScriptEnabled, way } of bothWays) {
  test(`an empty store invites the first upload, ${way}`, async () => {
    const page = await openPage(browser(), { javaScriptEnabled });
    await page.goto(`${site().url}/`);
    assert.equal(await figure(page, 'Images stored').innerText(), '0');
    await page.getByRole('link', { name: 'Upload the first image' }).click();
    await page.waitForURL(`${site().url}/upload_image`);
    checkQuiet(page);
    await page.context().close();
  });

  test(`what was uploaded last leads to its page, ${way}`, async () => {
    const page = await openPage(browser(), { javaScriptEnabled });
    const key = `<script>alert(1)</script> "'&/%2F 😀`;
    await site().store(key, png(40, 30, [200, 80, 20]));
    await page.goto(`${site().url}/`);
    await page.getByRole('link', { name: key }).click();
    assert.equal(await page.locator('h1').innerText(), key);
    checkQuiet(page);
    await page.context().close();
  });
}

test('by keyboard one gets an image from the home page', async () => {
  await site().store('typed', png(40, 30, [200, 80, 20]));
  const page = await openPage(browser());
  await page.goto(`${site().url}/`);
  await press(page, page.locator('#key_value'), 't');
  await page.keyboard.type('yped');
  await page.keyboard.press('Enter');
  await page.waitForURL(/key_value=typed/);
  assert.equal(await page.locator('h1').innerText(), 'typed');
  await page.context().close();
});

test('the figures and the last uploads come up to date by themselves', async () => {
  const page = await openPage(browser());
  await page.clock.install();
  await page.goto(`${site().url}/`);
  assert.match(await textOf(page), /no image here yet/);
  await site().store('arrived', png(40, 30, [200, 80, 20]));
  await page.clock.runFor(5000);
  await page.getByRole('link', { name: 'arrived' }).waitFor();
  assert.equal(await figure(page, 'Images stored').innerText(), '1');
  await checkAccessible(page);

  // What one is about to follow stays, all else goes on.
  await page.getByRole('link', { name: 'arrived' }).focus();
  await site().clear();
  await page.clock.runFor(5000);
  await page.waitForFunction(() => document.querySelector('.tiles dd').textContent === '0');
  assert.equal(await page.getByRole('link', { name: 'arrived' }).count(), 1);
  checkQuiet(page);
  await page.context().close();
});

test('figures that can no longer be brought up to date are said to be old', async () => {
  const page = await openPage(browser());
  await page.clock.install();
  await page.goto(`${site().url}/`);
  await page.route(`${site().url}/`, (route) => route.abort());
  await page.clock.runFor(5000);
  await page.locator('#live-problem').waitFor();
  assert.match(await page.locator('#live-problem').innerText(), /can't be brought up to date/);
  await page.unroute(`${site().url}/`);
  await page.clock.runFor(5000);
  await page.locator('#live-problem').waitFor({ state: 'hidden' });
  await page.context().close();
});
