// /keys_list: all keys, a page at a time, as a table or a gallery.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import {
  checkAccessible, checkPage, checkQuiet, drawnColour, firstView, tokenColour,
} from './checks.mjs';
import { png } from './images.mjs';
import { press, typeInto } from './keyboard.mjs';
import { bothWays, openPage, textOf, useSite } from './site.mjs';

const { site, browser } = useSite();

beforeEach(() => site().clear());

const blue = [20, 80, 200];
const oddKey = `<script>alert(1)</script> "'&/%2F 😀`;
const store = async (...keys) => {
  for (const key of keys) await site().store(key, png(40, 30, blue));
};
const numbered = (count) => Array.from({ length: count }, (_, i) => `key ${1000 + i}`);
const shownKeys = (page) => page.locator('#selection a.key').allTextContents();
const box = (page, key) => page.locator(`input[name=key][value=${JSON.stringify(key)}]`);

test('the keys page is as all pages are, as a table and as a gallery', async () => {
  await checkPage(browser(), `${site().url}/keys_list`);
  await store(oddKey, 'k'.repeat(255), '漢字 with spaces', ...numbered(60));
  await site().store('0 large', png(3000, 2000, blue, 200_000));
  for (const query of ['', '?view=gallery', '?prefix=nothing', '?last=1', '?view=gallery&after=key']) {
    await checkPage(browser(), `${site().url}/keys_list${query}`);
  }
});

test('a table asks for no image, a gallery for those that are near, and neither shifts', async () => {
  await store(...numbered(200));
  const table = await firstView(browser(), `${site().url}/keys_list?limit=200`);
  assert.ok(table.requests <= 6, `${table.requests} requests`);
  const gallery = await firstView(browser(), `${site().url}/keys_list?view=gallery`);
  assert.ok(gallery.requests <= 14, `${gallery.requests} requests`);
  const long = await firstView(browser(), `${site().url}/keys_list?view=gallery&limit=200`);
  assert.ok(long.requests < 120, `${long.requests} requests for 200 pictures`);
  assert.equal(long.shifted, 0);
});

for (const { javaScriptEnabled, way } of bothWays) {
  test(`a key leads to its image, from the table and from the gallery, ${way}`, async () => {
    const page = await openPage(browser(), { javaScriptEnabled });
    await store(oddKey);
    for (const view of ['table', 'gallery']) {
      await page.goto(`${site().url}/keys_list?view=${view}`);
      await page.getByRole('link', { name: oddKey }).click();
      assert.equal(await page.locator('h1').textContent(), oddKey);
    }
    checkQuiet(page);
    await page.context().close();
  });

  test(`one goes through all keys and back, and from the end, ${way}`, async () => {
    const page = await openPage(browser(), { javaScriptEnabled });
    const keys = numbered(19);
    await store(...keys);
    await page.goto(`${site().url}/keys_list?view=gallery`);
    const parts = [keys.slice(0, 8), keys.slice(8, 16), keys.slice(16)];
    assert.deepEqual(await shownKeys(page), parts[0]);
    const follow = async (name, expected) => {
      await page.getByRole('link', { name, exact: true }).click();
      await page.waitForLoadState();
      assert.deepEqual(await shownKeys(page), expected, name);
    };
    await follow('Next', parts[1]);
    await follow('Next', parts[2]);
    assert.equal(await page.getByRole('link', { name: 'Next', exact: true }).count(), 0);
    await follow('Previous', parts[1]);
    await follow('Previous', parts[0]);
    assert.equal(await page.getByRole('link', { name: 'Previous', exact: true }).count(), 0);
    await follow('Last', keys.slice(11));
    await follow('First', parts[0]);
    await follow('Next', parts[1]);
    await follow('Table', keys.slice(8));
    await follow('Gallery', parts[1]);
    checkQuiet(page);
    await page.context().close();
  });

  test(`one chooses how many keys a page has, and keeps that while one searches, ${way}`, async () => {
    const page = await openPage(browser(), { javaScriptEnabled });
    const keys = numbered(30);
    await store(...keys);
    await page.goto(`${site().url}/keys_list?view=gallery`);
    const limits = page.getByRole('navigation', { name: 'Keys on a page' });
    assert.equal(await limits.locator('[aria-current]').innerText(), '8');
    await page.getByRole('link', { name: 'Next', exact: true }).click();
    await page.waitForURL(/after=/);
    await limits.getByRole('link', { name: '24' }).click();
    await page.waitForURL(/limit=24/);
    assert.deepEqual(await shownKeys(page), keys.slice(8), 'from the same place on');
    assert.equal(await limits.locator('[aria-current]').innerText(), '24');
    await page.fill('#prefix', 'key');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.waitForURL(/prefix=key/);
    assert.deepEqual(await shownKeys(page), keys.slice(0, 24));
    // A table has room for all of them.
    await page.goto(`${site().url}/keys_list`);
    assert.equal(await limits.count(), 0);
    checkQuiet(page);
    await page.context().close();
  });

  test(`keys are searched by how they begin, ${way}`, async () => {
    const page = await openPage(browser(), { javaScriptEnabled });
    await store('cat', 'Cat', '<cat>', 'cats/1', oddKey);
    await page.goto(`${site().url}/keys_list`);
    const search = async (prefix) => {
      await page.fill('#prefix', prefix);
      await page.getByRole('button', { name: 'Search' }).click();
      await page.waitForURL((url) => url.searchParams.get('prefix') === prefix);
    };
    await search('cat');
    assert.deepEqual(await shownKeys(page), ['cat', 'cats/1']);
    await search('<');
    assert.deepEqual(await shownKeys(page), ['<cat>', oddKey]);
    await search(`no"body'<`);
    assert.match(await textOf(page), /No key here/);
    assert.ok((await textOf(page)).includes(`no"body'<`));
    await page.getByRole('link', { name: 'See all keys' }).click();
    assert.equal((await shownKeys(page)).length, 5);
    checkQuiet(page);
    await page.context().close();
  });

  test(`several images are deleted after a question, and one stays where one was, ${way}`, async () => {
    const page = await openPage(browser(), { javaScriptEnabled });
    await store('a', oddKey, 'c', 'd', ...numbered(10));
    for (const [view, keys] of [['table', ['a', oddKey]], ['gallery', ['c']]]) {
      await page.goto(`${site().url}/keys_list?view=${view}`);
      for (const key of keys) await box(page, key).check();
      await page.getByRole('button', { name: 'Delete selected…' }).click();
      if (javaScriptEnabled) {
        assert.match(await page.locator('dialog').innerText(), new RegExp(`${keys.length} image`));
      } else {
        for (const key of keys) assert.ok((await textOf(page)).includes(key));
      }
      const before = await site().keys();
      await page.getByRole('button', { name: 'Delete', exact: true }).click();
      await page.getByText(/image(s were| was) deleted/).waitFor();
      assert.deepEqual(await site().keys(), before.filter((key) => !keys.includes(key)));
      assert.equal(await page.locator('.gallery').count(), view === 'gallery' ? 1 : 0);
    }
    checkQuiet(page);
    await page.context().close();
  });

  test(`what is cached now is marked, and looking at the table caches nothing, ${way}`, async () => {
    const page = await openPage(browser(), { javaScriptEnabled });
    await store('read', 'unread');
    await fetch(`${site().url}/images/read`);
    for (let i = 0; i < 2; ++i) {
      await page.goto(`${site().url}/keys_list`);
      const row = (key) => page.locator('tbody tr', { has: page.getByRole('link', { name: key, exact: true }) });
      assert.match(await row('read').innerText(), /cached/);
      assert.doesNotMatch(await row('unread').innerText(), /cached/);
    }
    await page.context().close();
  });
}

test('without JavaScript a deletion of nothing says what to do', async () => {
  const page = await openPage(browser(), { javaScriptEnabled: false });
  await store('kept');
  await page.goto(`${site().url}/keys_list`);
  const button = page.getByRole('button', { name: 'Delete selected…' });
  const table = await page.locator('.table-frame').boundingBox();
  assert.equal((await button.boundingBox()).x, table.x, 'no place is kept for what only a script does');
  await button.click();
  assert.match(await textOf(page), /Nothing was selected/);
  assert.deepEqual(await site().keys(), ['kept']);
  await page.context().close();
});

test('by keyboard alone one searches, selects and deletes', async () => {
  await store('cat 1', 'cat 2', 'cat 3', 'dog');
  const page = await openPage(browser());
  await page.goto(`${site().url}/keys_list`);
  await typeInto(page, page.locator('#prefix'), 'cat');
  await page.keyboard.press('Enter');
  await page.waitForURL(/prefix=cat/);
  await press(page, box(page, 'cat 1'), 'Space');
  await press(page, box(page, 'cat 3'), 'Space');
  await press(page, page.getByRole('button', { name: 'Delete selected…' }));
  await page.locator('dialog[open]').waitFor();
  await checkAccessible(page);
  await press(page, page.getByRole('button', { name: 'Delete', exact: true }));
  await page.getByText('2 images were deleted').waitFor();
  assert.deepEqual(await site().keys(), ['cat 2', 'dog']);
  assert.deepEqual(await shownKeys(page), ['cat 2']);
  checkQuiet(page);
  await page.context().close();
});

test('all of a page are ticked at once, and counted', async () => {
  await store(...numbered(3));
  const page = await openPage(browser());
  await page.goto(`${site().url}/keys_list`);
  const button = page.getByRole('button', { name: 'Delete selected…' });
  const all = page.getByLabel('All on this page');
  assert.ok(await button.isDisabled());
  await all.check();
  assert.equal(await page.locator('input[name=key]:checked').count(), 3);
  assert.equal(await page.locator('#selected').innerText(), '3 images selected');
  await box(page, 'key 1001').uncheck();
  assert.equal(await page.locator('#selected').innerText(), '2 images selected');
  assert.ok(await all.evaluate((input) => input.indeterminate));
  assert.ok(await button.isEnabled());
  await page.context().close();
});

test('boxes have the colours of the page, ticked or not', async () => {
  await store('one', 'two');
  const page = await openPage(browser());
  await page.goto(`${site().url}/keys_list`);
  await box(page, 'two').check();
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    assert.deepEqual(
      await drawnColour(page, box(page, 'one')), await tokenColour(page, '--surface'), colorScheme);
    const ticked = await drawnColour(page, box(page, 'two'));
    assert.notDeepEqual(ticked, await tokenColour(page, '--surface'), colorScheme);
  }
  await page.context().close();
});

test('of two tabs the one that deletes what is gone deletes the rest', async () => {
  await store('a', 'b', 'c');
  const one = await openPage(browser());
  const other = await one.context().newPage();
  for (const page of [one, other]) await page.goto(`${site().url}/keys_list`);
  const remove = async (page, keys) => {
    for (const key of keys) await box(page, key).check();
    await page.getByRole('button', { name: 'Delete selected…' }).click();
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await page.getByText(/image(s were| was) deleted/).waitFor();
  };
  await remove(one, ['a']);
  await remove(other, ['a', 'b']);
  assert.match(await textOf(other), /1 image was deleted/);
  assert.deepEqual(await site().keys(), ['c']);
  await one.context().close();
});

test('an image that no browser shows has words in the place of its picture', async () => {
  const tiff = Buffer.from('SUkqAAgAAAACAAABAwABAAAAAQAAAAEBAwABAAAAAQAAAAAAAAA=', 'base64');
  await site().store('scan', tiff);
  const page = await openPage(browser());
  await page.goto(`${site().url}/keys_list?view=gallery`);
  assert.match(await page.locator('.gallery li').innerText(), /image\/tiff/);
  await page.waitForLoadState('networkidle');
  checkQuiet(page);
  await page.context().close();
});
