import { chmodSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemParts } from '../system.mjs';
import { makeFixture } from './fixture.mjs';

function binaries(...names) {
  const dir = makeFixture(Object.fromEntries(names.map((name) => [name, ''])));
  for (const name of names) chmodSync(join(dir, name), 0o755);
  return dir;
}

describe('systemParts', () => {
  it('finds commands on the PATH, the first name first', async () => {
    const dir = binaries('google-chrome', 'chromium-browser', 'redis-server');
    const { found, missing } = await systemParts({ env: { PATH: ['/nowhere', dir].join(delimiter) }, install: false });
    expect(found).toEqual({
      CHROMIUM_PATH: join(dir, 'chromium-browser'),
      REDIS_SERVER_PATH: join(dir, 'redis-server'),
    });
    expect(missing).toEqual([]);
  });

  it('prefers the path that a variable names', async () => {
    const dir = binaries('chromium', 'redis-server', 'mine');
    const env = { PATH: dir, CHROMIUM_PATH: join(dir, 'mine') };
    expect((await systemParts({ env, install: false })).found).toMatchObject({ CHROMIUM_PATH: join(dir, 'mine') });
  });

  it('says what is skipped and how to get what is missing', async () => {
    const env = { PATH: makeFixture({ 'redis-server': 'not executable' }), CHROMIUM_PATH: '/nowhere/chromium' };
    const { found, missing } = await systemParts({ env, install: false });
    expect(found).toEqual({});
    expect(missing).toHaveLength(2);
    expect(missing[0]).toMatch(
      /chromium was not found.*browser tests.*skipped.*apt-get install chromium.*CHROMIUM_PATH/,
    );
    expect(missing[1]).toMatch(/redis-server was not found.*apt-get install redis-server/);
  });
});
