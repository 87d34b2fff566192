import { systemClock } from '@guildkit/core';
import { describe, expect, it } from 'vitest';

describe('systemClock', () => {
  it('never goes back and calls once, not before the delay', async () => {
    const started = systemClock.now();
    let calls = 0;
    await new Promise<void>((resolve) => {
      systemClock.setTimer(() => {
        calls += 1;
        resolve();
      }, 5);
    });
    expect(calls).toBe(1);
    // setTimeout may come a rounding early; the driver re-arms for that.
    expect(systemClock.now() - started).toBeGreaterThan(3);
  });

  it('cancels a timer and ignores one that has fired', async () => {
    let cancelledFired = false;
    const cancelled = systemClock.setTimer(() => {
      cancelledFired = true;
    }, 1);
    systemClock.clearTimer(cancelled);
    const handle = await new Promise<unknown>((resolve) => {
      const fired: unknown = systemClock.setTimer(() => resolve(fired), 2);
    });
    expect(() => systemClock.clearTimer(handle)).not.toThrow();
    expect(cancelledFired).toBe(false);
  });

  it('stamps unix milliseconds', () => {
    expect(systemClock.wallTime()).toBeGreaterThan(Date.UTC(2025, 0, 1));
  });
});
