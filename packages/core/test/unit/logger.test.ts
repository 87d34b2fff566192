import { type Logger, silentLogger } from '@guildkit/core';
import { describe, expect, it, vi } from 'vitest';

describe('silentLogger', () => {
  it('has pino’s four levels and writes nowhere', () => {
    const spies = (['debug', 'info', 'warn', 'error', 'log'] as const).map((level) => vi.spyOn(console, level));
    const levels: readonly (keyof Logger)[] = ['debug', 'info', 'warn', 'error'];
    for (const level of levels) expect(silentLogger[level]({ shardId: 0 }, 'connected')).toBeUndefined();
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    expect(Object.keys(silentLogger)).toEqual(levels);
  });
});
