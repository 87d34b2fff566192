/** The README's tables name what the code has. */
import { readFileSync } from 'node:fs';
import * as rtp from '@guildkit/rtp';
import { describe, expect, it } from 'vitest';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
/** First cells of all table rows. */
const cells = new Set([...readme.matchAll(/^\| `([^`]+)` +\|/gm)].map(([, cell]) => cell));

describe('README', () => {
  it('has every error code, mode and reason', () => {
    const reasons = ['truncated', 'version', 'kind', 'padding', 'length', 'forged', 'oversized'];
    const wanted = [...Object.keys(rtp.RTP_ERROR_REMEDIES), ...rtp.ENCRYPTION_MODES, ...reasons];
    expect(wanted.filter((name) => !cells.has(name))).toEqual([]);
  });

  it('names every export', () => {
    expect(Object.keys(rtp).filter((name) => !readme.includes(`\`${name}`))).toEqual([]);
  });

  it('gives the overhead of each mode as it is', () => {
    for (const mode of rtp.ENCRYPTION_MODES) {
      const row = readme.split('\n').find((line) => line.startsWith(`| \`${mode}\``)) ?? '';
      expect(row).toContain(`| ${rtp.traitsOf(mode).overhead} |`);
    }
  });
});
