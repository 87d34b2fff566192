/** What docs/operations.md names is there: operators copy it into alerts. */
import { readFileSync } from 'node:fs';
import { REDIS_ERROR_REMEDIES } from '@guildkit/redis';
import { HUB_ERRORS } from '@guildkit/server-kit/hub';
import { METRICS } from '@guildkit/server-kit/observability';
import { describe, expect, it } from 'vitest';

const text = readFileSync(new URL('../../../../docs/operations.md', import.meta.url), 'utf8');
const all = (pattern: RegExp) => new Set([...text.matchAll(pattern)].map(([, name]) => String(name)));

describe('docs/operations.md', () => {
  it('names metrics that are measured', () => {
    const named = [...all(/guildkit_([a-z_]+)/g)].map((name) => name.replace(/_(count|bucket|sum)$/, ''));
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => !Object.hasOwn(METRICS, name))).toEqual([]);
  });

  it('names error codes that are given', () => {
    const known = { ...HUB_ERRORS, ...REDIS_ERROR_REMEDIES };
    const named = [...all(/`?(ERR_(?:HUB|REDIS)_[A-Z_]+)/g)];
    expect(named.length).toBeGreaterThan(4);
    expect(named.filter((code) => !Object.hasOwn(known, code))).toEqual([]);
  });
});
