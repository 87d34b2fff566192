/** The page of docs/realtime.md, as it stands there, in Chromium. */
import { readFile } from 'node:fs/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundle, launch, pageStand } from './support.js';

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser?.close());

it('a live member list in 25 lines of React', async () => {
  const text = await readFile(new URL('../../../../docs/realtime.md', import.meta.url), 'utf8');
  const [, code = ''] = /```tsx\n([\s\S]*?)```/.exec(text) ?? [];
  expect(code.trim().split('\n').length).toBeLessThanOrEqual(25);
  const stand = await pageStand('', { welcome: { authTimeoutMs: 0 } });
  try {
    stand.hub.join('10', 'anna');
    const address = /'ws:\/\/localhost:3000\/api\/ws'/;
    expect(code).toMatch(address);
    stand.files.set('/page.js', {
      type: 'text/javascript',
      body: await bundle(code.replace(address, "'/api/ws'"), 'tsx'),
    });
    const page = await browser.newPage();
    await page.goto(`${stand.origin}/#10`);
    await page.getByText('user anna').waitFor();
    stand.hub.join('10', 'bert');
    await page.getByText('user bert').waitFor();
    stand.hub.cut();
    stand.hub.leave('10', 'anna');
    await page.getByText('user anna').waitFor({ state: 'detached' });
    expect(await page.getByText('user bert').count()).toBe(1);
  } finally {
    await stand.close();
  }
});
