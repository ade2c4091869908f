// What a page says when there is nothing to show.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkPage } from './checks.mjs';
import { openPage, useSite } from './site.mjs';

const { site, browser } = useSite();

test('the pages that say what went wrong are as all pages are', async () => {
  await checkPage(browser(), `${site().url}/nothing`, { status: 404 });
  await checkPage(browser(), `${site().url}/image?key_value=nobody`, { status: 404 });
  await checkPage(browser(), `${site().url}/keys_list?limit=0`, { status: 400 });
});

test('an unknown page and an unknown key say what to do next', async () => {
  const page = await openPage(browser());
  assert.equal((await page.goto(`${site().url}/nothing`)).status(), 404);
  assert.ok((await page.locator('main a').count()) > 0);
  assert.equal((await page.goto(`${site().url}/image?key_value=nobody`)).status(), 404);
  assert.equal(await page.inputValue('input[name=key_value]'), 'nobody');
  await page.getByRole('link', { name: /upload/i }).last().click();
  await page.getByText('The image that you choose goes under the key nobody').waitFor();
  await page.context().close();
});
