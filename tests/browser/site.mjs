// What the browser tests stand on: the real program on a fresh store with a database
// of its own, and Debian's Chromium.
//
//   const { site, browser } = useSite();      // at the top of a test file
//   test('...', async () => {
//     const page = await openPage(browser());
//     await page.goto(`${site().url}/`);

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';

const root = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const program = process.env.IMGCACHED_PROGRAM ?? join(root, 'build/imgcached');

export const pagePaths = [
  '/', '/image', '/upload_image', '/keys_list', '/cache_properties', '/cache_stats',
];

// Starts the program; `settings` are IMGCACHED_* variables. stop() ends all of it.
export function startSite(settings = {}) {
  const state = mkdtempSync(join(tmpdir(), 'imgcached-browser-'));
  const run = (verb) =>
    spawnSync(join(root, 'tools/run'), [verb, program, state], {
      encoding: 'utf8',
      env: {
        ...process.env,
        IMGCACHED_LISTEN: '127.0.0.1:0',
        IMGCACHED_CACHE_LISTEN: '127.0.0.1:0',
        ...settings,
      },
    });
  const started = run('start');
  const ready = /ready backend=(\S+) cache=(\S+)/.exec(started.stdout);
  if (!ready) throw new Error(`the program did not start: ${started.stdout}${started.stderr}`);
  const url = `http://${ready[1]}`;
  return {
    url,
    cacheUrl: `http://${ready[2]}`,
    state,
    // Stores an image past the pages.
    async store(key, image) {
      const response = await fetch(`${url}/images?key=${encodeURIComponent(key)}`, {
        method: 'PUT', body: image,
      });
      if (!response.ok) throw new Error(`${key}: ${await response.text()}`);
    },
    async keys() {
      return (await (await fetch(`${url}/api/list_keys`)).json()).keys;
    },
    // Empties the store, and so the cache.
    async clear() {
      await fetch(`${url}/api/delete_all`, { method: 'POST' });
    },
    stop() {
      run('stop');
      rmSync(state, { recursive: true, force: true });
    },
  };
}

export function launchBrowser() {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // Names by which no browser takes us for its own machine: it then sends no Sec-Fetch-Site.
      '--host-resolver-rules=MAP imagehost 127.0.0.1, MAP evil.example 127.0.0.1',
    ],
  });
}

// One site and one browser for all tests of a file.
export function useSite(settings) {
  let site;
  let browser;
  before(async () => {
    site = startSite(settings);
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    site?.stop();
  });
  return { site: () => site, browser: () => browser };
}

// A page that remembers what went wrong in it: script errors, refused resources
// and violations of the content security policy all come by the console.
export async function openPage(browser, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.problems = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) page.problems.push(message.text());
  });
  page.on('pageerror', (error) => page.problems.push(String(error)));
  return page;
}

export const textOf = (page) => page.locator('main').innerText();

// Runs the test twice, for a browser with and for one without JavaScript.
export const bothWays = [
  { javaScriptEnabled: true, way: 'with JavaScript' },
  { javaScriptEnabled: false, way: 'without JavaScript' },
];
