// /image: an image, and what the cache had to do with it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkPage, checkQuiet } from './checks.mjs';
import { png } from './images.mjs';
import { bothWays, openPage, textOf, useSite } from './site.mjs';

const { site, browser } = useSite();

test('the page of an image, and the one that asks for a key, are as all pages are', async () => {
  await site().store('plain', png(40, 30, [200, 80, 20]));
  await checkPage(browser(), `${site().url}/image`);
  await checkPage(browser(), `${site().url}/image?key_value=plain`);
});

for (const { javaScriptEnabled, way } of bothWays) {
  test(`an image comes as a miss and then as a hit, ${way}`, async () => {
    const page = await openPage(browser(), { javaScriptEnabled });
    const key = `photo <script>alert(1)</script> "'&/%2F ${way} 😀`;
    await site().store(key, png(40, 30, [200, 80, 20]));
    for (const expected of ['miss', 'hit']) {
      await page.goto(`${site().url}/image`);
      await page.fill('input[name=key_value]', key);
      await page.click('main form button');
      await page.waitForLoadState();
      const text = await textOf(page);
      assert.match(text, new RegExp(`\\b${expected}\\b`, 'i'));
      assert.ok(text.includes('image/png'), text);
      assert.ok(text.includes(key), text);
      assert.deepEqual(
        await page.locator('figure img').evaluate((img) => [img.naturalWidth, img.naturalHeight]),
        [40, 30],
      );
    }
    checkQuiet(page);
    await page.context().close();
  });
}
