// What the browser tests stand on: the real program on a fresh store, and
// Debian's Chromium.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { deflateSync } from 'node:zlib';
import { chromium } from 'playwright-core';

const root = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const program = process.env.IMGCACHED_PROGRAM ?? join(root, 'build/imgcached');

// Starts the program with a database of its own; stop() ends both.
export function startSite() {
  const state = mkdtempSync(join(tmpdir(), 'imgcached-browser-'));
  const run = (verb) =>
    spawnSync(join(root, 'tools/run'), [verb, program, state], {
      encoding: 'utf8',
      env: {
        ...process.env,
        IMGCACHED_LISTEN: '127.0.0.1:0',
        IMGCACHED_CACHE_LISTEN: '127.0.0.1:0',
      },
    });
  const started = run('start');
  const ready = /ready backend=(\S+) cache=(\S+)/.exec(started.stdout);
  if (!ready) throw new Error(`the program did not start: ${started.stdout}${started.stderr}`);
  return {
    url: `http://${ready[1]}`,
    cacheUrl: `http://${ready[2]}`,
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

// A page that remembers what went wrong in it: script errors, refused resources
// and violations of the content security policy all come by the console.
export async function openPage(browser, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.problems = [];
  page.on('console', (message) => {
    if (message.type() === 'error') page.problems.push(message.text());
  });
  page.on('pageerror', (error) => page.problems.push(String(error)));
  return page;
}

// A PNG of one colour: real enough for a browser to show.
export function png(width, height, [red, green, blue]) {
  const chunk = (type, data) => {
    const typed = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const check = Buffer.alloc(4);
    check.writeUInt32BE(crc32(typed));
    return Buffer.concat([length, typed, check]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(width * 3, Buffer.from([red, green, blue]))]);
  const pixels = deflateSync(Buffer.concat(Array(height).fill(row)));
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', pixels),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; ++bit) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}
