// /cache_stats: what the cache has been doing.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkPage, checkQuiet } from './checks.mjs';
import { png } from './images.mjs';
import { tabTo } from './keyboard.mjs';
import { startRelay } from './relay.mjs';
import { openPage, textOf, useSite } from './site.mjs';

const { site, browser } = useSite();

const url = () => `${site().url}/cache_stats`;
const isStats = (response) => new URL(response.url()).pathname === '/api/stats';

async function openStatistics(options = {}, at = url()) {
  const page = await openPage(browser(), options);
  await page.goto(at);
  await page.locator('.chart canvas').first().waitFor();
  return page;
}

const readouts = (page) => page.locator('.readout').allInnerTexts();
const cursors = (page) => page.locator('.chart .cursor').evaluateAll((lines) =>
  lines.map((line) => !line.hidden && line.getBoundingClientRect().x));

// Answers /api/stats with samples of our own, the newest of which is of now. They stay
// the same, however often the page asks.
async function showSamples(page, samplesUntil) {
  const toMs = Date.now();
  const { samples, marks = [] } = samplesUntil(toMs);
  const json = {
    success: 'true', from_ms: toMs - 600_000, to_ms: toMs, interval_ms: 5000, samples, marks,
  };
  await page.route('**/api/stats*', (route) => route.fulfill({ json }));
}
const sample = (timeMs, values = {}) => ({
  time_ms: timeMs, items: 10, bytes: 1000, capacity_bytes: 4000, requests: 50, hits: 40, misses: 10,
  requests_per_second: 10, hit_rate: 0.8, miss_rate: 0.2, ...values,
});
const gap = (timeMs) => Object.fromEntries(
  Object.keys(sample(0)).map((name) => [name, name === 'time_ms' ? timeMs : null]));

// How many pixels of a chart have a colour of the design.
const pixelsOf = (page, series, token) => page.evaluate(([name, colour]) => {
  const canvas = document.querySelector(`[data-series=${name}] canvas`);
  const copy = Object.assign(document.createElement('canvas'), {
    width: canvas.width, height: canvas.height + 1,
  }).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 1);
  copy.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(colour);
  copy.fillRect(0, 0, 1, 1);
  const wanted = copy.getImageData(0, 0, 1, 1).data;
  const { data } = copy.getImageData(0, 1, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] > 200 && [0, 1, 2].every((i) => Math.abs(data[at + i] - wanted[i]) < 8)) ++count;
  }
  return count;
}, [series, token]);

async function end(page) {
  checkQuiet(page);
  await page.context().close();
}

test('the statistics page is as all pages are', async () => {
  await checkPage(browser(), url());
});

test('five charts are drawn, and a new point comes by itself', async () => {
  const page = await openStatistics();
  assert.equal(await page.locator('.chart:has(canvas)').count(), 5);
  const moment = page.locator('#moment-text');
  await moment.getByText('UTC').waitFor();
  const before = await moment.innerText();
  const table = await page.locator('#samples tbody tr').first().innerText();
  await page.waitForFunction((text) =>
    !document.querySelector('#moment-text').textContent.startsWith(text), before.slice(0, 8));
  // And a line of the table with it.
  await page.waitForFunction((text) =>
    document.querySelector('#samples tbody tr').innerText !== text, table);
  for (const text of await readouts(page)) assert.notEqual(text, '');
  await end(page);
});

test('nothing is asked for while nobody looks', async () => {
  const page = await openStatistics();
  await page.waitForLoadState('networkidle');
  await page.clock.install();
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  const hide = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await hide(true);
  await page.reload();  // the timers of before are those of the real clock
  await hide(true);
  await page.waitForLoadState('networkidle');
  asked.length = 0;
  await page.clock.runFor(60_000);
  assert.deepEqual(asked, []);
  await Promise.all([page.waitForResponse(isStats), hide(false)]);
  await end(page);
});

test('one cursor is in all charts: by pointer', async () => {
  const page = await openPage(browser());
  await showSamples(page, (toMs) => ({
    samples: Array.from({ length: 120 }, (_, i) => sample(toMs - (119 - i) * 5000, { items: i })),
  }));
  await page.goto(url());
  await page.getByText('119', { exact: true }).waitFor();
  assert.deepEqual(await cursors(page), [false, false, false, false, false]);

  await page.locator('.chart').nth(2).hover();  // in its middle
  const chart = await page.locator('.chart').nth(2).boundingBox();
  const places = await cursors(page);
  assert.equal(new Set(places).size, 1);
  assert.ok(Math.abs(places[0] - chart.x - chart.width / 2) < 8, `${places[0]}`);
  const [items] = await readouts(page);
  assert.ok(Number(items) > 40 && Number(items) < 80, items);
  assert.match(await page.locator('#moment-text').innerText(), /^\d\d:\d\d:\d\d UTC$/);

  await page.mouse.move(5, 5);
  assert.deepEqual(await cursors(page), [false, false, false, false, false]);
  assert.equal((await readouts(page))[0], '119');
  await end(page);
});

test('one cursor is in all charts: by keyboard', async () => {
  const page = await openPage(browser());
  await showSamples(page, (toMs) => ({
    samples: Array.from({ length: 120 }, (_, i) => sample(toMs - (119 - i) * 5000, { items: i })),
    marks: [{ time_ms: toMs - 5000, event: 'cleared' }],
  }));
  await page.goto(url());
  await page.getByText('119', { exact: true }).waitFor();
  const slider = page.getByRole('slider', { name: 'Look back' });
  await tabTo(page, slider);
  await page.keyboard.press('ArrowLeft');
  assert.equal((await readouts(page))[0], '118');
  assert.equal(new Set(await cursors(page)).size, 1);
  assert.equal((await cursors(page)).includes(false), false);
  const said = await slider.getAttribute('aria-valuetext');
  assert.match(said, /UTC · cache cleared; Images in the cache: 118; .*Requests per second: 10\.0\/s; Hit rate: 80\.0 %; Miss rate: 20\.0 %/);
  await page.keyboard.press('Home');
  assert.equal((await readouts(page))[0], '0');
  await page.keyboard.press('End');
  assert.equal((await readouts(page))[0], '119');
  assert.deepEqual(await cursors(page), [false, false, false, false, false]);
  await end(page);
});

test('a gap is a gap, in the lines and in words', async () => {
  const page = await openPage(browser());
  await showSamples(page, (toMs) => ({
    samples: [
      sample(toMs - 500_000), sample(toMs - 495_000), gap(toMs - 300_000),
      sample(toMs - 10_000), sample(toMs),
    ],
  }));
  await page.goto(url());
  await page.locator('.readout').first().getByText('10', { exact: true }).waitFor();
  // A line across it would have some 500 pixels.
  const drawn = await pixelsOf(page, 'items', '--accent');
  assert.ok(drawn > 0 && drawn < 200, `${drawn} pixels`);
  const chart = await page.locator('.chart').first().boundingBox();
  await page.mouse.move(chart.x + chart.width / 2, chart.y + 50);
  assert.deepEqual(await readouts(page), Array(5).fill('no data'));
  await end(page);
});

test('changes of the settings and clears are marked, in the charts and in the table', async () => {
  const page = await openPage(browser());
  await showSamples(page, (toMs) => ({
    // A level line may lie between two rows of pixels, and then has the colour in neither.
    samples: Array.from({ length: 120 }, (_, i) =>
      sample(toMs - (119 - i) * 5000, { capacity_bytes: 3000 + 8 * i })),
  }));
  await page.goto(url());
  await page.locator('.chart canvas').first().waitFor();
  assert.equal(await pixelsOf(page, 'hit_rate', '--bad'), 0);
  const capacity = await pixelsOf(page, 'bytes', '--caution');
  assert.ok(capacity > 100, `the capacity is a line of ${capacity} pixels`);
  await page.unroute('**/api/stats*');

  await fetch(`${site().url}/cache_properties`, {
    method: 'POST', body: new URLSearchParams({ max_capacity: '55', replacement_policy: 'random' }),
  });
  await fetch(`${site().cacheUrl}/clear_cache`);
  // All at once: the newest moment tells of the clear for five seconds only.
  await Promise.all([
    page.getByText('the cache was cleared').waitFor(),
    page.getByText('changed to 55 MB, Random Replacement').waitFor(),
    page.waitForFunction(() => /cleared/.test(document.querySelector('#moment-text').innerText)),
  ]);
  assert.ok(await pixelsOf(page, 'hit_rate', '--bad') > 20);
  assert.match((await readouts(page))[1], /of 55\.0 MB$/);
  await end(page);
});

test('marks are whole at the ends of the time, and where a line of the grid is', async () => {
  for (const markMs of [
    (toMs) => toMs, (toMs) => toMs - 600_000, (toMs) => toMs - toMs % 60_000,
  ]) {
    const page = await openPage(browser());
    await showSamples(page, (toMs) => ({
      samples: [sample(toMs - 300_000)], marks: [{ time_ms: markMs(toMs), event: 'cleared' }],
    }));
    await page.goto(url());
    await page.locator('.readout').first().getByText('10', { exact: true }).waitFor();
    assert.ok(await pixelsOf(page, 'items', '--bad') > 20, `${markMs}`);
    await end(page);
  }
});

test('what was read is counted', async () => {
  await site().store('counted', png(10, 10, [1, 2, 3]));
  const page = await openStatistics();
  const counted = () => page.evaluate(() => {
    const sums = { Requests: 0, Hits: 0, Misses: 0 };
    const names = [...document.querySelectorAll('#samples th')].map((cell) => cell.innerText);
    for (const row of document.querySelectorAll('#samples tbody tr:not(.event)')) {
      for (const name of Object.keys(sums)) sums[name] += Number(row.cells[names.indexOf(name)].innerText) || 0;
    }
    return JSON.stringify(sums);
  });
  for (let i = 0; i < 20; ++i) await (await fetch(`${site().url}/images/counted`)).arrayBuffer();
  // They may be spread over two samples.
  const wanted = JSON.stringify({ Requests: 20, Hits: 19, Misses: 1 });
  while (await counted() !== wanted) await page.waitForResponse(url());
  await end(page);
});

test('an hour and a day are a click away', async () => {
  const page = await openStatistics();
  for (const [name, window, said] of [
    ['1 hour', '1h', 'The last hour, with a point every 30 seconds'],
    ['24 hours', '24h', 'The last 24 hours, with a point every 12 minutes'],
    ['10 minutes', '10m', 'The last 10 minutes, with a point every 5 seconds'],
  ]) {
    await Promise.all([
      page.waitForResponse((response) => isStats(response) && response.url().endsWith(`=${window}`)),
      page.getByRole('navigation', { name: 'How far back' }).getByRole('link', { name }).click(),
    ]);
    assert.ok((await textOf(page)).includes(said));
    assert.equal(await page.locator('.segments [aria-current]').innerText(), name);
  }
  await end(page);
});

test('the samples can be had as a CSV file', async () => {
  const page = await openStatistics({}, `${url()}?window=1h`);
  const [download] = await Promise.all([
    page.waitForEvent('download'), page.getByRole('link', { name: 'CSV' }).click(),
  ]);
  assert.equal(download.suggestedFilename(), 'cache_stats-1h.csv');
  const [names, ...rows] = (await readFile(await download.path(), 'utf8')).trimEnd().split('\r\n');
  assert.match(names, /^time,items,bytes,capacity_bytes,requests,hits,misses,/);
  assert.ok(rows.length > 0);
  assert.match(rows[0], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ,\d+,\d+,/);
  await end(page);
});

test('without JavaScript the statistics are a table', async () => {
  const page = await openPage(browser(), { javaScriptEnabled: false });
  await page.goto(url());
  assert.ok((await page.locator('tbody tr').count()) > 0);
  assert.equal(await page.locator('#charts').isVisible(), false);
  await page.getByRole('link', { name: '1 hour' }).click();
  assert.ok((await page.locator('tbody tr').count()) > 0);
  await end(page);
});

test('a tablet shows the whole table', async () => {
  const page = await openStatistics({ viewport: { width: 768, height: 900 } });
  const hidden = await page.locator('#samples .table-frame').evaluate((frame) =>
    frame.scrollWidth - frame.clientWidth);
  assert.equal(hidden, 0);
  await end(page);
});

test('a table that somebody reads stays where it is', async () => {
  const page = await openStatistics();
  await page.waitForFunction(() => document.querySelectorAll('#samples tbody tr').length > 2);
  const frame = page.locator('#samples .table-frame');
  await frame.focus();
  const [first, now] = [await page.locator('#samples tbody tr').first().innerText(), page.locator('#now')];
  await fetch(`${site().url}/images/nobody`);
  const before = await now.innerText();
  await site().store('elsewhere', png(10, 10, [9, 9, 9]));
  await fetch(`${site().url}/images/elsewhere`);
  await page.waitForFunction((text) => document.querySelector('#now').innerText !== text, before);
  assert.equal(await page.locator('#samples tbody tr').first().innerText(), first);
  await end(page);
});

test('charts follow the colours of the system', async () => {
  const page = await openStatistics({ colorScheme: 'light' });
  const light = await pixelsOf(page, 'bytes', '--accent');
  await page.emulateMedia({ colorScheme: 'dark' });
  // The page is told of it before it draws its next frame.
  await page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(resolve); }));
  const dark = await pixelsOf(page, 'bytes', '--accent');
  assert.ok(light > 0 && dark > 0, `${light} and ${dark} pixels`);
  await end(page);
});

test('charts that can no longer be brought up to date say so, and recover', async (t) => {
  const relay = await startRelay(t, site().url);
  const page = await openStatistics({}, `${relay.url}/cache_stats`);
  relay.refuse();
  await page.locator('#charts-problem').waitFor();
  relay.admit();
  await page.locator('#charts-problem').waitFor({ state: 'hidden' });
  await page.context().close();
});

// Of a cache that has been busy for a day: figures as long as they get.
function storeDay() {
  const done = spawnSync('mariadb', [
    '-S', join(site().state, 'mariadb/mariadb.sock'), '-u', 'root', 'imgcached', '-e',
    `SET @now = NOW(3);
     INSERT INTO cache_stats (cache_size, key_count, request_count, hit_count, miss_count,
                              created_at, started_at, capacity, clear_count)
     SELECT 17179000000 + seq, 1234567, seq * 123456, seq * 111111, seq * 12345,
            @now - INTERVAL (17280 - seq) * 5 SECOND - INTERVAL 1 MINUTE,
            @now - INTERVAL 25 HOUR, 17179869184, 0
     FROM seq_1_to_17280`,
  ], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
}

test('and it is after a busy day, however far back', async () => {
  storeDay();
  for (const window of ['10m', '1h', '24h']) await checkPage(browser(), `${url()}?window=${window}`);
});
