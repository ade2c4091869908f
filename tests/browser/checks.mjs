// What holds for every page, whatever it shows.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { HtmlValidate } from 'html-validate';
import { openPage } from './site.mjs';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// What a first visit may cost, with an empty browser cache. The images that are stored
// are as large as they are: their bytes do not count.
const requestsMax = 15;
const bytesMax = 100 * 1024;

const widths = [360, 768, 1440];

// What the standard says, without opinions on style; what people need is axe's.
const htmlValidate = new HtmlValidate({ root: true, extends: ['html-validate:standard'] });

// The page has no console error, no refused resource, no violation of its policy.
export function checkQuiet(page) {
  assert.deepEqual(page.problems, []);
}

// The page as it came from the server is valid HTML.
export async function checkValid(html) {
  const report = await htmlValidate.validateString(html);
  const found = report.results.flatMap((result) =>
    result.messages.map((m) => `${m.line}:${m.column} ${m.ruleId}: ${m.message}`));
  assert.deepEqual(found, []);
}

// axe finds nothing in the page as it is now, in light and in dark.
export async function checkAccessible(page) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    // By the debugger's way in: our policy lets no page take a script from elsewhere.
    await page.evaluate(axeSource);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }));
    const found = violations.flatMap((violation) => violation.nodes.map((node) =>
      `${colorScheme} ${violation.id}: ${node.html} ${node.failureSummary}`));
    assert.deepEqual(found, []);
  }
}

// Nothing sticks out to the right, on a phone, a tablet, a desk, and lines of tiles have
// no holes.
export async function checkFits(page) {
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 });
    const sticksOut = await page.evaluate(() =>
      document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(sticksOut, 0, `${page.url()} at ${width} px`);
    const holes = await page.locator('.tiles').evaluateAll((all) => all.filter((tiles) => {
      const last = tiles.lastElementChild.getBoundingClientRect();
      return Math.abs(last.right - tiles.getBoundingClientRect().right) > 1;
    }).length);
    assert.equal(holes, 0, `tiles of ${page.url()} at ${width} px`);
  }
}

// The colour in the middle of an element, as it is drawn, and the one of a token of the
// design, both as [red, green, blue].
export async function drawnColour(page, locator) {
  const shot = (await locator.screenshot()).toString('base64');
  return page.evaluate(async (data) => {
    const image = Object.assign(new Image(), { src: `data:image/png;base64,${data}` });
    await image.decode();
    const canvas = Object.assign(document.createElement('canvas'), {
      width: image.width, height: image.height,
    }).getContext('2d');
    canvas.drawImage(image, 0, 0);
    return [...canvas.getImageData(image.width / 2, image.height / 2, 1, 1).data.slice(0, 3)];
  }, shot);
}
export function tokenColour(page, token) {
  return page.evaluate((name) => {
    const value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    return value.match(/[0-9a-f]{2}/g).map((digits) => Number.parseInt(digits, 16));
  }, token);
}

// How many requests and bytes, headers and all, the first view of a page takes; the bytes
// without those of stored images.
export async function firstView(browser, url) {
  const page = await openPage(browser, { viewport: { width: 1440, height: 900 } });
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Network.enable');
  let requests = 0;
  let bytes = 0;
  const images = new Set();
  devtools.on('Network.requestWillBeSent', ({ requestId, request }) => {
    ++requests;
    if (new URL(request.url).pathname.startsWith('/images')) images.add(requestId);
  });
  devtools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    if (!images.has(requestId)) bytes += encodedDataLength;
  });
  await page.goto(url, { waitUntil: 'networkidle' });
  const shifted = await page.evaluate(() => new Promise((resolve) => {
    let sum = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(sum)));
  }));
  await page.context().close();
  return { requests, bytes, shifted };
}

// All of it, for the page at `url`, which answers with `status`.
export async function checkPage(browser, url, { status = 200 } = {}) {
  const answer = await fetch(url);
  assert.equal(answer.status, status);
  await checkValid(await answer.text());

  const view = await firstView(browser, url);
  assert.ok(view.requests <= requestsMax, `${view.requests} requests`);
  assert.ok(view.bytes < bytesMax, `${view.bytes} bytes`);
  assert.equal(view.shifted, 0, 'the layout shifts');

  const page = await openPage(browser);
  const response = await page.goto(url, { waitUntil: 'networkidle' });
  assert.equal(response.status(), status);
  assert.ok(response.headers()['content-security-policy']);
  assert.equal(await page.locator('h1').count(), 1);
  await checkAccessible(page);
  await checkFits(page);
  // The browser itself tells the console of a page that answers 404.
  if (status >= 400) {
    page.problems = page.problems.filter((text) => !text.startsWith('Failed to load resource'));
  }
  checkQuiet(page);
  await page.context().close();
}
