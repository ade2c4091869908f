// What a person does who has no mouse.

import assert from 'node:assert/strict';

const tabsMax = 200;

// Presses Tab until `locator` has the focus, and checks that one sees that it has.
export async function tabTo(page, locator) {
  for (let tabs = 0; tabs < tabsMax; ++tabs) {
    if (await locator.evaluate((element) => element === document.activeElement)) {
      const outline = await locator.evaluate((element) => getComputedStyle(element).outlineStyle);
      assert.notEqual(outline, 'none', 'the focus can be seen');
      return;
    }
    await page.keyboard.press('Tab');
  }
  assert.fail(`Tab does not reach ${locator}`);
}

// Goes to a field and types over what is in it.
export async function typeInto(page, locator, text) {
  await tabTo(page, locator);
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText(text);
}

// Goes to a button or a link and presses it; waits for the page that it leads to.
export async function press(page, locator, key = 'Enter') {
  await tabTo(page, locator);
  await page.keyboard.press(key);
}
