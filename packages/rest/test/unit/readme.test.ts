/** The README's tables name what the code has. */
import { readFileSync } from 'node:fs';
import { DiscordRestClient, REST_ERROR_REMEDIES } from '@guildkit/rest';
import { describe, expect, test } from 'vitest';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** First cells of all table rows. */
const cells = new Set([...readme.matchAll(/^\| `([^`]+)` +\|/gm)].map(([, cell]) => cell));

describe('README', () => {
  test('has every error code', () => {
    expect(Object.keys(REST_ERROR_REMEDIES).filter((code) => !cells.has(code))).toEqual([]);
  });

  test('names every method of the client', () => {
    const own = ['constructor', 'stats', 'close'];
    const methods = Object.getOwnPropertyNames(DiscordRestClient.prototype).filter((name) => !own.includes(name));
    expect(methods.length).toBeGreaterThan(35);
    expect(methods.filter((name) => !readme.includes(`\`${name}\``))).toEqual([]);
  });

  test('has every option of the client', () => {
    let known = '';
    try {
      new DiscordRestClient({ nothing: 1 } as never);
    } catch (error) {
      known = (error as Error).message.split('Known: ')[1] ?? '';
    }
    const options = known.split(', ').filter((name) => name !== 'clock' && name !== 'random');
    expect(options.length).toBeGreaterThan(10);
    expect(options.filter((name) => !cells.has(name))).toEqual([]);
  });
});
