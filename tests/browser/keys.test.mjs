// /keys_list: all keys, a page at a time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkPage, checkQuiet } from './checks.mjs';
import { png } from './images.mjs';
import { openPage, textOf, useSite } from './site.mjs';

const { site, browser } = useSite();

test('the keys page is as all pages are', async () => {
  await checkPage(browser(), `${site().url}/keys_list`);
  await site().store('listed', png(40, 30, [20, 80, 200]));
  await checkPage(browser(), `${site().url}/keys_list`);
});

test('a key leads to its image', async () => {
  const page = await openPage(browser());
  const key = `<script>alert(1)</script> "'&/%2F 😀`;
  await site().store(key, png(40, 30, [20, 80, 200]));
  await page.goto(`${site().url}/keys_list`);
  await page.getByRole('link', { name: key }).click();
  assert.ok((await textOf(page)).includes('image/png'));
  checkQuiet(page);
  await page.context().close();
});
