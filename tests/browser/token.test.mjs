// A server that asks for a token: a browser asks the person, once.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { checkQuiet } from './checks.mjs';
import { png } from './images.mjs';
import { launchBrowser, openPage, startSite, textOf } from './site.mjs';

const token = 'a-token-for-the-tests-0123456789';
const image = png(40, 30, [120, 40, 160]);
let directory;
let site;
let browser;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'imgcached-token-'));
  writeFileSync(join(directory, 'token'), `${token}\n`);
  site = startSite({ IMGCACHED_TOKEN_FILE: join(directory, 'token') });
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  site?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const asOwner = { httpCredentials: { username: 'anybody', password: token } };
const put = (key) =>
  fetch(`${site.url}/images/${key}`, {
    method: 'PUT', body: image, headers: { Authorization: `Bearer ${token}` },
  });
const upload = async (page, key) => {
  await page.goto(`${site.url}/upload_image`);
  await page.fill('input[name=key]', key);
  await page.setInputFiles('input[name=file]', { name: 'x', mimeType: '', buffer: image });
  await page.click('main form button:not([type=button])');
};

test('who has the token uploads and deletes by the pages', async () => {
  const page = await openPage(browser, { ...asOwner, javaScriptEnabled: false });
  await upload(page, 'owned');
  await page.waitForLoadState();
  assert.match(await textOf(page), /stored/i);
  await page.goto(`${site.url}/image?key_value=owned`);
  await page.getByRole('button', { name: 'Delete…' }).click();
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByText('was deleted').waitFor();
  assert.deepEqual(await site.keys(), []);
  await page.context().close();
});

test('who has not looks at every page, and is asked for it where something would change', async () => {
  assert.equal((await put('kept')).status, 201);
  const page = await openPage(browser);
  for (const path of ['/', '/keys_list', '/image?key_value=kept', '/cache_properties', '/cache_stats']) {
    assert.equal((await page.goto(site.url + path)).status(), 200, path);
  }
  checkQuiet(page);
  await page.goto(`${site.url}/delete_image?key=kept`);
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.request().method() === 'POST'),
    page.getByRole('button', { name: 'Delete' }).click(),
  ]);
  assert.equal(answer.status(), 401);
  assert.match(answer.headers()['www-authenticate'], /^Basic /m);
  // What a browser shows when one does not say it; without a screen it shows nothing.
  const refused = await fetch(`${site.url}/delete_image`, {
    method: 'POST', body: new URLSearchParams({ key: 'kept' }),
  });
  assert.match(await refused.text(), /<h1>Unauthorized<\/h1>[^]*token/);
  assert.deepEqual(await site.keys(), ['kept']);
  await page.context().close();
});
