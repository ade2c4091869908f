// /: what this is, how it is doing, where to go.

import { test } from 'node:test';
import { checkPage } from './checks.mjs';
import { useSite } from './site.mjs';

const { site, browser } = useSite();

test('the home page is as all pages are, with an empty store', async () => {
  await checkPage(browser(), `${site().url}/`);
});
