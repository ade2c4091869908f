// /image: an image, and what the cache had to do with it.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { checkAccessible, checkPage, checkQuiet } from './checks.mjs';
import { png } from './images.mjs';
import { press, typeInto } from './keyboard.mjs';
import { bothWays, openPage, textOf, useSite } from './site.mjs';

const { site, browser } = useSite();

beforeEach(() => site().clear());

const orange = [200, 80, 20];
const oddKeys = [
  `<script>alert(1)</script>`, `"double" 'single'`, 'cats/tabby/../one', '..', '/', ' spaces  within ',
  '😀 é 漢字', 'k'.repeat(255), '50% &amp; #1?', '{{key}}',
];
const pageOf = (key) => `${site().url}/image?key_value=${encodeURIComponent(key)}`;
const fact = (page, name) =>
  page.locator('.facts dt', { hasText: new RegExp(`^${name}$`) }).locator('xpath=following-sibling::dd[1]').innerText();

test('the page of an image, and those that ask, are as all pages are', async () => {
  await site().store('plain', png(40, 30, orange));
  await site().store('wide', png(4000, 30, orange));
  await site().store(oddKeys[0], png(1, 1, orange));
  await site().store('k'.repeat(255), png(200, 3000, orange));
  await checkPage(browser(), `${site().url}/image`);
  for (const key of ['plain', 'wide', oddKeys[0], 'k'.repeat(255)]) await checkPage(browser(), pageOf(key));
  await checkPage(browser(), `${site().url}/delete_image?key=plain`);
});

for (const { javaScriptEnabled, way } of bothWays) {
  test(`an image comes as a miss and then as a hit, ${way}`, async () => {
    const page = await openPage(browser(), { javaScriptEnabled });
    await site().store('photo', png(40, 30, orange));
    for (const expected of ['miss', 'hit']) {
      await page.goto(`${site().url}/image`);
      await page.fill('input[name=key_value]', 'photo');
      await page.getByRole('button', { name: 'Get image' }).click();
      await page.waitForURL(/key_value=photo/);
      assert.match(await fact(page, 'Cache'), new RegExp(`^${expected} in \\d+\\.\\d+ m?s$`));
      assert.equal(await fact(page, 'Type'), 'image/png');
      assert.equal(await fact(page, 'Dimensions'), '40 × 30 pixels');
      assert.match(await fact(page, 'Size'), /^\d+ B$/);
      assert.match(await fact(page, 'Stored'), /^just now\s+\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
      assert.deepEqual(
        await page.locator('figure img').evaluate((img) => [img.naturalWidth, img.naturalHeight]),
        [40, 30],
      );
    }
    checkQuiet(page);
    await page.context().close();
  });

  test(`a key of any characters has its page, its file and its command, ${way}`, async () => {
    const page = await openPage(browser(), { javaScriptEnabled });
    for (const key of oddKeys) {
      const image = png(40, 30, orange, key.length);
      await site().store(key, image);
      await page.goto(pageOf(key));
      assert.equal(await page.locator('h1').textContent(), key);
      const raw = await fetch(await page.inputValue('#raw-link'));
      assert.deepEqual(Buffer.from(await raw.arrayBuffer()), image);
      const link = new URL(await page.inputValue('#page-link'));
      assert.equal(link.searchParams.get('key_value'), key);
      assert.equal(link.origin, site().url);
      assert.match(await page.inputValue('#command'), /^curl -o image\.png 'http:\/\/[^']+'$/);
      const file = page.getByRole('link', { name: 'Open file' });
      assert.equal(await file.evaluate((link) => link.href), raw.url);
    }
    checkQuiet(page);
    await page.context().close();
  });

  test(`an image is deleted after a question, and kept if one thinks better of it, ${way}`, async () => {
    const page = await openPage(browser(), { javaScriptEnabled });
    const key = `<b>"odd"</b> & 'key'/😀`;
    await site().store(key, png(40, 30, orange));
    await page.goto(pageOf(key));
    await page.getByRole('button', { name: 'Delete…' }).click();
    if (javaScriptEnabled) {
      await page.getByRole('button', { name: 'Keep it' }).click();
      assert.equal(await page.locator('dialog').isVisible(), false);
    } else {
      await page.getByRole('link', { name: 'Keep it' }).click();
    }
    assert.deepEqual(await site().keys(), [key]);
    await page.getByRole('button', { name: 'Delete…' }).click();
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await page.getByText('was deleted').waitFor();
    assert.ok((await textOf(page)).includes(key));
    assert.deepEqual(await site().keys(), []);
    checkQuiet(page);
    await page.context().close();
  });

  test(`a key without an image offers to upload one, ${way}`, async () => {
    const page = await openPage(browser(), { javaScriptEnabled });
    const key = `no/"image" here`;
    assert.equal((await page.goto(pageOf(key))).status(), 404);
    assert.equal(await page.inputValue('input[name=key_value]'), key);
    assert.match(await textOf(page), /There is no image under this key/);
    await page.getByRole('link', { name: 'Upload an image under this key' }).click();
    if (javaScriptEnabled) {
      await page.getByText(`The image that you choose goes under the key ${key}`).waitFor();
      await page.locator('#file').setInputFiles({ name: 'x', mimeType: '', buffer: png(4, 4, orange) });
      assert.equal(await page.locator('.upload [data-part=key]').inputValue(), key);
      assert.equal(await page.locator('#wanted').isVisible(), false);
    } else {
      assert.equal(await page.inputValue('input[name=key]'), key);
    }
    await page.context().close();
  });
}

test('by keyboard alone one gets an image and deletes it', async () => {
  await site().store('typed', png(40, 30, orange));
  const page = await openPage(browser());
  await page.goto(`${site().url}/image`);
  await typeInto(page, page.locator('#key_value'), 'typed');
  await page.keyboard.press('Enter');
  await page.waitForURL(/key_value=typed/);

  const asking = page.getByRole('button', { name: 'Delete…' });
  await press(page, asking);
  await page.locator('dialog[open]').waitFor();
  await checkAccessible(page);
  await page.keyboard.press('Escape');
  await page.locator('dialog[open]').waitFor({ state: 'hidden' });
  assert.ok(await asking.evaluate((button) => button === document.activeElement), 'back where one was');

  await page.keyboard.press('Enter');
  await press(page, page.getByRole('button', { name: 'Delete', exact: true }));
  await page.getByText('was deleted').waitFor();
  assert.deepEqual(await site().keys(), []);
  checkQuiet(page);
  await page.context().close();
});

test('keys are suggested while one types', async () => {
  const keys = ['cat 1', 'cat 2', '"cat"', 'dog', '<i>'];
  for (const key of keys) await site().store(key, png(4, 3, orange));
  const page = await openPage(browser());
  await page.goto(`${site().url}/image`);
  const suggested = () => page.locator('datalist option').evaluateAll((all) => all.map((o) => o.value));
  const until = (expected) =>
    page.waitForFunction((wanted) => {
      const options = [...document.querySelectorAll('datalist option')].map((o) => o.value);
      return JSON.stringify(options) === wanted;
    }, JSON.stringify(expected));
  await page.locator('#key_value').focus();
  await until(['"cat"', '<i>', 'cat 1', 'cat 2', 'dog']);
  await page.keyboard.type('cat');
  await until(['cat 1', 'cat 2']);
  await page.fill('#key_value', '<');
  await until(['<i>']);
  await page.fill('#key_value', 'x');
  await until([]);
  assert.deepEqual(await suggested(), []);
  checkQuiet(page);
  await page.context().close();
});

test('links and the command are copied by a button, which says so', async () => {
  await site().store('copied', png(4, 3, orange));
  const page = await openPage(browser(), { permissions: ['clipboard-read', 'clipboard-write'] });
  await page.goto(pageOf('copied'));
  for (const field of ['page-link', 'raw-link', 'command']) {
    const button = page.locator(`[data-copy=${field}]`);
    await button.click();
    await page.locator('#copied', { hasText: 'Copied' }).waitFor({ state: 'attached' });
    assert.match(await button.innerText(), /^Copied/);
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.inputValue(`#${field}`));
  }
  checkQuiet(page);
  await page.context().close();

  const plain = await openPage(browser(), { javaScriptEnabled: false });
  await plain.goto(pageOf('copied'));
  assert.equal(await plain.locator('[data-copy]:visible').count(), 0);
  await plain.context().close();
});

test('the size of a larger image is told in words and exactly', async () => {
  const image = png(40, 30, orange, 20_000);
  await site().store('larger', image);
  const page = await openPage(browser());
  await page.goto(pageOf('larger'));
  assert.equal(await fact(page, 'Size'), `19.6 KB ${image.length.toLocaleString('en')} bytes`);
  await page.context().close();
});

test('what one can do with an image stands in one line', async () => {
  await site().store('buttons', png(40, 30, orange));
  for (const width of [360, 768, 900, 1000, 1440]) {
    const page = await openPage(browser(), { viewport: { width, height: 800 } });
    await page.goto(pageOf('buttons'));
    const tops = await page.locator('.card > .actions .button').evaluateAll((all) =>
      all.map((button) => button.getBoundingClientRect().top));
    assert.equal(tops.length, 3);
    assert.equal(new Set(tops).size, 1, `at ${width} px`);
    await page.context().close();
  }
});

test('of two tabs the one that deletes second is told that the image is gone', async () => {
  await site().store('shared', png(4, 3, orange));
  const one = await openPage(browser());
  const other = await one.context().newPage();
  for (const page of [one, other]) {
    await page.goto(pageOf('shared'));
    await page.getByRole('button', { name: 'Delete…' }).click();
  }
  await one.getByRole('button', { name: 'Delete', exact: true }).click();
  await one.getByText('was deleted').waitFor();
  await other.getByRole('button', { name: 'Delete', exact: true }).click();
  await other.getByText('There is no image under this key').waitFor();
  await one.context().close();
});

test('of two tabs the one that is looked at again shows what the other has put there', async () => {
  await site().store('replaced', png(40, 30, orange));
  const page = await openPage(browser());
  await page.goto(pageOf('replaced'));
  await site().store('replaced', png(50, 20, orange));
  await page.reload();
  assert.equal(await fact(page, 'Dimensions'), '50 × 20 pixels');
  assert.match(await textOf(page), /First stored/);
  await page.context().close();
});
