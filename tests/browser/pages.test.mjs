// Every page in a real browser, with JavaScript and without it.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { launchBrowser, openPage, png, startSite } from './site.mjs';

let site;
let browser;

before(async () => {
  site = startSite();
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  site?.stop();
});

const upload = async (page, key, content) => {
  await page.goto(`${site.url}/upload_image`);
  await page.fill('input[name=key]', key);
  await page.setInputFiles('input[name=file]', { name: 'x', mimeType: '', buffer: content });
  await page.click('main form button:not([type=button])');
  await page.waitForLoadState();
};

const bodyOf = (page) => page.locator('main').innerText();

for (const javaScriptEnabled of [true, false]) {
  const mode = javaScriptEnabled ? 'with JavaScript' : 'without JavaScript';

  test(`an uploaded image comes back as a miss and then as a hit, ${mode}`, async () => {
    const page = await openPage(browser, { javaScriptEnabled });
    const key = `photo <script>alert(1)</script> "'&/%2F ${mode} 😀`;
    await upload(page, key, png(40, 30, [200, 80, 20]));
    assert.match(await bodyOf(page), /stored/i);

    for (const expected of ['miss', 'hit']) {
      await page.goto(`${site.url}/image`);
      await page.fill('input[name=key_value]', key);
      await page.click('main form button');
      await page.waitForLoadState();
      const text = await bodyOf(page);
      assert.match(text, new RegExp(`\\b${expected}\\b`, 'i'));
      assert.ok(text.includes('image/png'), text);
      assert.ok(text.includes(key), text);
      assert.deepEqual(
        await page.locator('figure img').evaluate((img) => [img.naturalWidth, img.naturalHeight]),
        [40, 30],
      );
    }

    await page.goto(`${site.url}/keys_list`);
    await page.getByRole('link', { name: key }).click();
    assert.ok((await bodyOf(page)).includes('image/png'));
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });

  test(`a bad capacity keeps what was typed and says why, ${mode}`, async () => {
    const page = await openPage(browser, { javaScriptEnabled });
    await page.goto(`${site.url}/cache_properties`);
    await page.fill('input[name=max_capacity]', '1e9');
    await page.click('button:text("Save")');
    await page.waitForLoadState();
    assert.equal(await page.inputValue('input[name=max_capacity]'), '1e9');
    assert.match(await bodyOf(page), /whole number/i);

    await page.fill('input[name=max_capacity]', '64');
    await page.selectOption('select[name=replacement_policy]', 'Random Replacement');
    await page.click('button:text("Save")');
    await page.waitForLoadState();
    const stats = await (await fetch(`${site.cacheUrl}/stats`)).json();
    assert.equal(stats.capacity_bytes, 64 * 1048576);
    assert.equal(stats.replacement, 'Random Replacement');
    await page.context().close();
  });

  test(`every page opens without an error in the console, ${mode}`, async () => {
    const page = await openPage(browser, { javaScriptEnabled });
    for (const path of ['/', '/image', '/upload_image', '/keys_list', '/cache_properties', '/cache_stats']) {
      const response = await page.goto(site.url + path);
      assert.equal(response.status(), 200, path);
      assert.equal(await page.locator('h1').count(), 1, path);
      assert.ok(response.headers()['content-security-policy'], path);
    }
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });
}

test('forms work by plain http under a name, where only Origin tells whose they are', async () => {
  const page = await openPage(browser);
  const port = new URL(site.url).port;
  await page.goto(`http://imagehost:${port}/upload_image`);
  await page.fill('input[name=key]', 'named');
  const content = png(10, 10, [1, 2, 3]);
  await page.setInputFiles('input[name=file]', { name: 'x', mimeType: '', buffer: content });
  const [request] = await Promise.all([
    page.waitForRequest((sent) => sent.method() === 'POST'),
    page.click('main form button:not([type=button])'),
  ]);
  await page.waitForLoadState();
  assert.match(await bodyOf(page), /stored/i);
  const headers = await request.allHeaders();
  assert.equal(headers['sec-fetch-site'], undefined);
  assert.equal(headers.origin, `http://imagehost:${port}`);
  await page.context().close();
});

test("another site's form and image change nothing", async () => {
  await fetch(`${site.url}/images/kept`, { method: 'PUT', body: png(10, 10, [3, 2, 1]) });
  await fetch(`${site.url}/images/kept`);
  const page = await openPage(browser);
  const attack = `<form method="post" action="${site.url}/delete_image">
    <input name="key" value="kept"><button>win</button></form>
    <img src="${site.cacheUrl}/clear_cache">`;
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
  assert.equal((await fetch(`${site.url}/images/kept`)).headers.get('x-cache'), 'hit');
  await page.context().close();
  evil.closeAllConnections();
  await new Promise((closed) => evil.close(closed));
});

test('the statistics page draws five charts from live samples', async () => {
  const page = await openPage(browser);
  await page.goto(`${site.url}/cache_stats`);
  await page.waitForSelector('#charts .chart canvas', { state: 'visible' });
  assert.equal(await page.locator('#charts .chart:has(canvas)').count(), 5);
  for (const readout of await page.locator('#charts .readout').allInnerTexts()) {
    if (readout !== '') assert.match(readout, / at [0-2]\d:\d\d:\d\d UTC$/);
  }
  assert.match(await page.locator('#charts .readout').first().innerText(), /UTC$/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test('without JavaScript the statistics are a table', async () => {
  const page = await openPage(browser, { javaScriptEnabled: false });
  await page.goto(`${site.url}/cache_stats`);
  assert.ok((await page.locator('tbody tr').count()) > 0);
  await page.context().close();
});

test('an unknown page and an unknown key say what to do next', async () => {
  const page = await openPage(browser);
  assert.equal((await page.goto(`${site.url}/nothing`)).status(), 404);
  assert.ok((await page.locator('main a').count()) > 0);
  assert.equal((await page.goto(`${site.url}/image?key_value=nobody`)).status(), 404);
  assert.equal(await page.inputValue('input[name=key_value]'), 'nobody');
  await page.context().close();
});
