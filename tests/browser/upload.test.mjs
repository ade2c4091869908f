// /upload_image: images into the store.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkAccessible, checkFits, checkPage, checkQuiet } from './checks.mjs';
import { png } from './images.mjs';
import { press, tabTo, typeInto } from './keyboard.mjs';
import { startRelay } from './relay.mjs';
import { openPage, textOf, useSite } from './site.mjs';

const { site, browser } = useSite({ IMGCACHED_MAX_UPLOAD: '32MiB' });

const file = (name, buffer = png(40, 30, [200, 80, 20])) => ({ name, mimeType: 'image/png', buffer });
const largeImage = png(40, 30, [20, 80, 200], 7 << 20);

// By its path: the bytes of a file that is handed over go through the debugger's wire.
function onDisk({ name, buffer }) {
  const path = join(site().state, name);
  writeFileSync(path, buffer);
  return path;
}
const large = (name) => onDisk(file(name, largeImage));

async function openUpload({ url = site().url, query = '', ...options } = {}) {
  const page = await openPage(browser(), options);
  await page.goto(`${url}/upload_image${query}`);
  return page;
}

const rowOf = (page, name) => page.locator('.upload').filter({ hasText: name });
const keyOf = (row) => row.locator('[data-part=key]');
const inState = (page, state) => page.locator(`.upload[data-state=${state}]`);
const send = (page) => page.locator('#send').click();

// In `page`, a DataTransfer with the files, as a drop or a paste brings it.
const transferOf = (page, files) => page.evaluateHandle((contents) => {
  const transfer = new DataTransfer();
  for (const { name, bytes } of contents) {
    transfer.items.add(new File([Uint8Array.from(bytes)], name, { type: 'image/png' }));
  }
  return transfer;
}, files.map(({ name, buffer }) => ({ name, bytes: [...buffer] })));

async function end(page) {
  checkQuiet(page);
  await page.context().close();
}

test('the upload page is as all pages are', async () => {
  await checkPage(browser(), `${site().url}/upload_image`);
});

test('without JavaScript the form uploads one image', async () => {
  const page = await openUpload({ javaScriptEnabled: false });
  const key = `<script>alert(1)</script> "'&/%2F 😀`;
  await page.getByLabel('Key').fill(key);
  await page.getByLabel('File').setInputFiles(file('x'));
  await page.getByRole('button', { name: 'Upload' }).click();
  assert.match(await textOf(page), /Stored/);
  assert.ok((await site().keys()).includes(key));
  await page.getByRole('link', { name: 'See the image' }).click();
  assert.ok((await textOf(page)).includes(key));
  await end(page);
});

test('without JavaScript a file that is no image is refused beside it, the key kept', async () => {
  const page = await openUpload({ javaScriptEnabled: false });
  await page.getByLabel('Key').fill('kept key');
  await page.getByLabel('File').setInputFiles(file('x', Buffer.from('no image')));
  await page.getByRole('button', { name: 'Upload' }).click();
  assert.match(await page.locator('#file-error').innerText(), /PNG/);
  assert.equal(await page.getByLabel('Key').inputValue(), 'kept key');
  await page.context().close();
});

test('several images go at once, under keys made of their names', async () => {
  await site().clear();
  const page = await openUpload();
  await page.locator('#file').setInputFiles([
    file('dog.png'), file('dog.jpg'), file('a.b.gif'), file('.png'), file(`${'é'.repeat(120)}.png`),
  ]);
  const keys = ['dog', 'dog-2', 'a.b', '.png', 'é'.repeat(120)];
  assert.deepEqual(
    await page.locator('.upload [data-part=key]').evaluateAll((all) => all.map((one) => one.value)),
    keys);
  const shown = await page.locator('.upload .preview img').evaluateAll((all) =>
    Promise.all(all.map(async (img) => { await img.decode(); return img.naturalWidth; })));
  assert.deepEqual(shown, [40, 40, 40, 40, 40]);
  await page.getByRole('button', { name: 'Upload 5 images' }).click();
  await page.getByText('5 of 5 stored').waitFor();
  assert.deepEqual((await site().keys()).sort(), keys.sort());
  await rowOf(page, 'dog-2').getByRole('link', { name: 'dog-2' }).click();
  assert.ok((await textOf(page)).includes('image/png'));
  await end(page);
});

test('images are dropped on the page and pasted into it', async () => {
  const page = await openUpload();
  const dropped = await transferOf(page, [file('dropped.png'), file('dropped too.png')]);
  await page.dispatchEvent('main', 'dragover', { dataTransfer: dropped });
  assert.equal(await page.locator('#upload.dropping').count(), 1);
  await page.dispatchEvent('main', 'drop', { dataTransfer: dropped });
  assert.equal(await page.locator('#upload.dropping').count(), 0);
  await page.evaluate((clipboardData) => {
    document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
  }, await transferOf(page, [file('pasted.png')]));
  assert.deepEqual(
    await page.locator('.upload [data-part=key]').evaluateAll((all) => all.map((one) => one.value)),
    ['dropped', 'dropped too', 'pasted']);
  await send(page);
  await page.getByText('3 of 3 stored').waitFor();
  await end(page);
});

test('whatever a key may be, it is stored under it', async () => {
  await site().clear();
  const keys = [
    '<script>alert(1)</script>', `"quotes" and 'quotes'`, 'a/b/../c', '..', '/', ' spaces  ',
    '100%', 'a?b=c&d#e', '😀', 'k'.repeat(255), '{{key}}',
  ];
  const page = await openUpload();
  await page.locator('#file').setInputFiles(keys.map((_, i) => file(`${i}.png`)));
  for (const [i, key] of keys.entries()) await keyOf(rowOf(page, `${i}.png`).first()).fill(key);
  await send(page);
  await page.getByText(`${keys.length} of ${keys.length} stored`).waitFor();
  assert.deepEqual((await site().keys()).sort(), keys.sort());
  for (const key of keys) {
    const link = inState(page, 'stored').getByRole('link', { name: key, exact: true });
    const opened = await fetch(new URL(
      await link.locator('xpath=../..').getByText('Open the file').getAttribute('href'), site().url));
    assert.equal(opened.status, 200, key);
    const seen = await fetch(new URL(await link.getAttribute('href'), site().url));
    assert.equal(seen.status, 200, key);
  }
  await end(page);
});

test('a key that is no key says so beside it, and nothing is sent', async () => {
  const page = await openUpload();
  await page.locator('#file').setInputFiles([file('one.png'), file('two.png')]);
  const row = rowOf(page, 'one.png');
  for (const [key, reason] of [
    ['', /Give/], ['k'.repeat(256), /256 bytes/], ['a\u0085b', /control/], ['two', /Another file/],
  ]) {
    await keyOf(row).fill(key);
    await row.evaluate((element) => element.closest('form').requestSubmit());
    assert.match(await row.locator('[data-part=key-error]').innerText(), reason);
    assert.equal(await keyOf(row).getAttribute('aria-invalid'), 'true');
    assert.equal(await keyOf(row).inputValue(), key);
    assert.equal(await row.getAttribute('data-state'), 'ready');
  }
  await keyOf(row).fill('better');
  await send(page);
  await rowOf(page, 'one.png').and(inState(page, 'stored')).waitFor();
  await end(page);
});

test('whether an image may be replaced is asked beside its key', async () => {
  const first = png(10, 10, [1, 1, 1]);
  await site().store('taken', first);
  const page = await openUpload();
  await page.locator('#file').setInputFiles([file('taken.png'), file('free.png')]);
  const row = rowOf(page, 'taken.png');
  await row.getByLabel('Replace it').waitFor();
  assert.equal(await rowOf(page, 'free.png').getByLabel('Replace it').isVisible(), false);
  await send(page);
  assert.match(await row.locator('[data-part=key-error]').innerText(), /taken/);
  await rowOf(page, 'free.png').and(inState(page, 'stored')).waitFor();
  assert.deepEqual(Buffer.from(await (await fetch(`${site().url}/images/taken`)).arrayBuffer()), first);

  // Another key is not taken.
  await keyOf(row).fill('not taken');
  await row.getByLabel('Replace it').waitFor({ state: 'hidden' });
  await keyOf(row).fill('taken');
  await row.getByLabel('Replace it').check();
  await send(page);
  await row.and(inState(page, 'stored')).waitFor();
  const now = Buffer.from(await (await fetch(`${site().url}/images/taken`)).arrayBuffer());
  assert.deepEqual(now, file('taken.png').buffer);
  await end(page);
});

test('an image that came under the key meanwhile is not replaced unasked', async () => {
  const page = await openUpload();
  await page.locator('#file').setInputFiles(file('contested.png'));
  await page.waitForLoadState('networkidle');  // it was told that the key is free
  const first = png(10, 10, [2, 2, 2]);
  await site().store('contested', first);
  await send(page);
  const row = rowOf(page, 'contested.png');
  await row.and(inState(page, 'failed')).waitFor();
  assert.match(await row.locator('[data-part=key-error]').innerText(), /taken/);
  const kept = Buffer.from(await (await fetch(`${site().url}/images/contested`)).arrayBuffer());
  assert.deepEqual(kept, first);
  await row.getByLabel('Replace it').check();
  await row.getByRole('button', { name: 'Try again' }).click();
  await row.and(inState(page, 'stored')).waitFor();
  page.problems = page.problems.filter((text) => !text.includes('412'));
  await end(page);
});

test('a link to replace an image gives the first file its key', async () => {
  await site().store('linked', png(10, 10, [3, 3, 3]));
  const page = await openUpload({ query: '?key=linked' });
  await page.locator('#file').setInputFiles([file('any name.png'), file('other.png')]);
  assert.equal(await keyOf(rowOf(page, 'any name.png')).inputValue(), 'linked');
  assert.equal(await keyOf(rowOf(page, 'other.png')).inputValue(), 'other');
  await rowOf(page, 'any name.png').getByLabel('Replace it').waitFor();
  await send(page);
  await page.getByText('2 of 2 stored').waitFor();
  await end(page);
});

test('what is wrong with a file is said beside it, the key kept', async () => {
  const page = await openUpload();
  const text = Buffer.from('this is no image');
  await page.locator('#file').setInputFiles(onDisk(file('huge.png', Buffer.alloc((32 << 20) + 1))));
  await page.locator('#file').setInputFiles([
    file('empty.png', Buffer.alloc(0)), file('text.png', text), file('long text.png', Buffer.alloc(7 << 20, 'text')), file('good.png'),
  ]);
  const errorOf = (name) => rowOf(page, name).locator('[data-part=file-error]').first();
  assert.match(await errorOf('empty.png').innerText(), /empty/);
  assert.match(await errorOf('huge.png').innerText(), /32\.0 MB/);
  await send(page);
  await rowOf(page, 'good.png').and(inState(page, 'stored')).waitFor();
  for (const name of ['long text.png', 'text.png']) {
    await errorOf(name).waitFor();
    assert.match(await errorOf(name).innerText(), /PNG/);
  }
  assert.equal(await keyOf(rowOf(page, 'empty.png')).inputValue(), 'empty');
  assert.equal(await keyOf(rowOf(page, 'long text.png')).inputValue(), 'long text');
  page.problems = page.problems.filter((problem) => !problem.includes('415'));
  await end(page);
});

test('uploading nothing asks for an image', async () => {
  const page = await openUpload();
  await send(page);
  assert.match(await page.locator('#file-error').innerText(), /Choose an image/);
  await page.locator('#file').setInputFiles(file('after.png'));
  assert.equal(await page.locator('#file-error').isVisible(), false);
  await end(page);
});

test('an upload shows how far it is; a broken connection is told, and tried again', async (t) => {
  const relay = await startRelay(t, site().url);
  const page = await openUpload({ url: relay.url });
  // More than all buffers on the way take.
  const endless = file('broken.png', png(40, 30, [20, 80, 200], 24 << 20));
  await page.locator('#file').setInputFiles(endless);
  relay.hold(1 << 20);
  await send(page);
  const row = rowOf(page, 'broken.png');
  await page.waitForFunction(() => document.querySelector('.upload progress').value > 0.05);
  assert.match(await row.innerText(), /of 24\.0 MB sent/);
  assert.ok(await row.locator('progress').evaluate((bar) => bar.value) < 1);
  // Not just cut: on a connection that it has used before, Chromium tries again by itself.
  relay.refuse();
  await row.and(inState(page, 'failed')).waitFor();
  assert.match(await row.innerText(), /connection broke/);
  assert.ok(!(await site().keys()).includes('broken'));
  relay.release();
  relay.admit();
  await row.getByRole('button', { name: 'Try again' }).click();
  await row.and(inState(page, 'stored')).waitFor();
  assert.ok((await site().keys()).includes('broken'));
  page.problems = page.problems.filter((text) => !/ERR_(CONNECTION|SOCKET)/.test(text));
  await end(page);
});

test('an upload on which nothing moves any more is given up', async (t) => {
  const relay = await startRelay(t, site().url);
  const page = await openUpload({ url: relay.url });
  await page.clock.install();
  await page.locator('#file').setInputFiles(large('stalled.png'));
  relay.hold(1 << 20);
  await send(page);
  await page.waitForFunction(() => document.querySelector('.upload progress').value > 0.05);
  // As much as all buffers between take; from then on nothing moves.
  await page.clock.fastForward(31_000);
  await page.clock.fastForward(31_000);
  const row = rowOf(page, 'stalled.png');
  await row.and(inState(page, 'failed')).waitFor();
  assert.match(await row.innerText(), /Nothing has moved/);
  await end(page);
});

test('an upload is cancelled, and of many a few go at a time', async (t) => {
  const relay = await startRelay(t, site().url);
  const page = await openUpload({ url: relay.url });
  const names = ['c1', 'c2', 'c3', 'c4', 'c5'];
  await page.locator('#file').setInputFiles(names.map((name) => large(`${name}.png`)));
  // From the first bytes on, so that what fits into buffers is never all of a file.
  relay.hold(0);
  await send(page);
  await inState(page, 'sending').nth(2).waitFor();
  assert.equal(await inState(page, 'sending').count(), 3);
  assert.equal(await inState(page, 'queued').count(), 2);
  await rowOf(page, 'c4.png').getByRole('button', { name: 'Cancel' }).click();
  await rowOf(page, 'c1.png').getByRole('button', { name: 'Cancel' }).click();
  for (const name of ['c1.png', 'c4.png']) {
    const row = rowOf(page, name).and(inState(page, 'failed'));
    await row.waitFor();
    assert.match(await row.innerText(), /Cancelled/);
  }
  await rowOf(page, 'c4.png').getByRole('button', { name: 'Remove' }).click();
  relay.release();
  await page.getByText('3 of 4 stored, 1 failed').waitFor();
  assert.ok(!(await site().keys()).includes('c1'));
  await rowOf(page, 'c1.png').getByRole('button', { name: 'Try again' }).click();
  await page.getByText('4 of 4 stored').waitFor();
  await end(page);
});

test('an image is uploaded by keyboard alone', async () => {
  await site().store('by-keyboard', png(10, 10, [4, 4, 4]));
  const page = await openUpload();
  await tabTo(page, page.locator('#file'));
  const [chooser] = await Promise.all([
    page.waitForEvent('filechooser'), page.keyboard.press('Space'),
  ]);
  await chooser.setFiles([file('x.png'), file('y.png')]);
  const row = rowOf(page, 'x.png');
  await typeInto(page, keyOf(row), 'by-keyboard');
  await row.getByLabel('Replace it').waitFor();
  await press(page, row.getByLabel('Replace it'), 'Space');
  await press(page, rowOf(page, 'y.png').getByRole('button', { name: 'Remove' }));
  assert.equal(await page.locator('.upload').count(), 1);
  // The focus has not gone astray: it is at the row that is left.
  assert.equal(await row.getByRole('button', { name: 'Remove' })
    .evaluate((element) => element === document.activeElement), true);
  await press(page, keyOf(row));
  await row.and(inState(page, 'stored')).waitFor();
  await end(page);
});

test('rows in every state are accessible and fit', async (t) => {
  await site().store('state-taken', png(10, 10, [5, 5, 5]));
  const relay = await startRelay(t, site().url);
  const page = await openUpload({ url: relay.url });
  await page.locator('#file').setInputFiles(file('stored.png'));
  await send(page);
  await page.getByText('1 of 1 stored').waitFor();
  relay.hold(1 << 20);
  await page.locator('#file').setInputFiles([
    large('state-1.png'), large('state-2.png'), large('state-3.png'), large('state-4.png'),
    ...[file('state-taken.png'), file(`${'long '.repeat(40)}.png`), file('empty', Buffer.alloc(0))]
      .map(onDisk),
  ]);
  await rowOf(page, 'state-taken.png').getByLabel('Replace it').waitFor();
  await keyOf(rowOf(page, 'long ')).fill('k'.repeat(256));
  await send(page);
  await inState(page, 'sending').nth(2).waitFor();
  await rowOf(page, 'state-1.png').getByRole('button', { name: 'Cancel' }).click();
  await checkAccessible(page);
  await checkFits(page);
  await end(page);
});
