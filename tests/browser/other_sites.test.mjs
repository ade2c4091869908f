// Other sites' pages, and our own by a name that only Origin tells from them.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { png } from './images.mjs';
import { openPage, textOf, useSite } from './site.mjs';

const { site, browser } = useSite();

test('forms work by plain http under a name, where only Origin tells whose they are', async () => {
  const page = await openPage(browser(), { javaScriptEnabled: false });
  const port = new URL(site().url).port;
  await page.goto(`http://imagehost:${port}/upload_image`);
  await page.fill('input[name=key]', 'named');
  const content = png(10, 10, [1, 2, 3]);
  await page.setInputFiles('input[name=file]', { name: 'x', mimeType: '', buffer: content });
  const [request] = await Promise.all([
    page.waitForRequest((sent) => sent.method() === 'POST'),
    page.click('main form button:not([type=button])'),
  ]);
  await page.waitForLoadState();
  assert.match(await textOf(page), /stored/i);
  const headers = await request.allHeaders();
  assert.equal(headers['sec-fetch-site'], undefined);
  assert.equal(headers.origin, `http://imagehost:${port}`);
  await page.context().close();
});

test("another site's form and image change nothing", async () => {
  await fetch(`${site().url}/images/kept`, { method: 'PUT', body: png(10, 10, [3, 2, 1]) });
  await fetch(`${site().url}/images/kept`);
  const page = await openPage(browser());
  const attack = `<form method="post" action="${site().url}/delete_image">
    <input name="key" value="kept"><button>win</button></form>
    <img src="${site().cacheUrl}/clear_cache">`;
  // A real server: browsers keep pages of no address away from loopback by themselves.
  const evil = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end(attack);
  });
  await new Promise((listening) => evil.listen(0, '127.0.0.1', listening));
  // Asked for, and since it is no image, failed: the page learns nothing of the answer.
  await Promise.all([
    page.waitForEvent('requestfailed', (request) => request.url().endsWith('/clear_cache')),
    page.goto(`http://evil.example:${evil.address().port}/`),
  ]);
  const [posted] = await Promise.all([page.waitForNavigation(), page.click('button')]);
  assert.equal(posted.status(), 403);
  assert.equal((await fetch(`${site().url}/images/kept`)).headers.get('x-cache'), 'hit');
  await page.context().close();
  evil.closeAllConnections();
  await new Promise((closed) => evil.close(closed));
});
