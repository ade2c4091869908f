// /upload_image: images into the store.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkPage, checkQuiet } from './checks.mjs';
import { png } from './images.mjs';
import { bothWays, openPage, textOf, useSite } from './site.mjs';

const { site, browser } = useSite();

test('the upload page is as all pages are', async () => {
  await checkPage(browser(), `${site().url}/upload_image`);
});

for (const { javaScriptEnabled, way } of bothWays) {
  test(`an image is uploaded, ${way}`, async () => {
    const page = await openPage(browser(), { javaScriptEnabled });
    await page.goto(`${site().url}/upload_image`);
    await page.fill('input[name=key]', `up ${way}`);
    const image = png(40, 30, [200, 80, 20]);
    await page.setInputFiles('input[name=file]', { name: 'x', mimeType: '', buffer: image });
    await page.click('main form button:not([type=button])');
    await page.waitForLoadState();
    assert.match(await textOf(page), /stored/i);
    assert.ok((await site().keys()).includes(`up ${way}`));
    checkQuiet(page);
    await page.context().close();
  });
}
