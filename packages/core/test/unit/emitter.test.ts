import { TypedEmitter } from '@guildkit/core';
import { describe, expect, it } from 'vitest';

interface SampleEvents {
  ready: { readonly shardId: number };
  error: { readonly error: unknown };
}

class Sample extends TypedEmitter<SampleEvents> {
  readonly failures: (readonly [unknown, string])[] = [];
  fire<K extends keyof SampleEvents>(name: K, event: SampleEvents[K]): void {
    this.emitEvent(name, event);
  }
  protected override onListenerError(error: unknown, event: string): void {
    this.failures.push([error, event]);
  }
}

describe('TypedEmitter', () => {
  it('calls listeners in the order they were added', () => {
    const sample = new Sample();
    const seen: string[] = [];
    sample.on('ready', ({ shardId }) => seen.push(`a${shardId}`));
    sample.on('ready', ({ shardId }) => seen.push(`b${shardId}`));
    sample.fire('ready', { shardId: 1 });
    expect(seen).toEqual(['a1', 'b1']);
  });

  it('does not mind that nobody listens, to an error either', () => {
    const sample = new Sample();
    expect(() => sample.fire('error', { error: new Error('x') })).not.toThrow();
    expect(sample.emit('error', { error: new Error('x') })).toBe(false);
  });

  it('calls a one-time listener once, by emit and by emitEvent', () => {
    for (const way of ['emit', 'fire'] as const) {
      const sample = new Sample();
      const seen: string[] = [];
      sample.once('ready', () => seen.push('once'));
      sample.on('ready', () => seen.push('on'));
      sample[way]('ready', { shardId: 0 });
      sample[way]('ready', { shardId: 0 });
      expect(seen).toEqual(['once', 'on', 'on']);
      expect(sample.listenerCount('ready')).toBe(1);
    }
  });

  it('calls a one-time listener once when it fires the event itself', () => {
    const sample = new Sample();
    let calls = 0;
    sample.once('ready', () => {
      calls += 1;
      sample.fire('ready', { shardId: 1 });
    });
    sample.fire('ready', { shardId: 0 });
    expect(calls).toBe(1);
  });

  it('keeps the same function added both ways: one call each, then only the lasting one', () => {
    const sample = new Sample();
    let calls = 0;
    const listener = (): void => {
      calls += 1;
    };
    sample.on('ready', listener);
    sample.once('ready', listener);
    sample.fire('ready', { shardId: 0 });
    expect(calls).toBe(2);
    sample.fire('ready', { shardId: 0 });
    expect(calls).toBe(3);
  });

  it('goes on after a listener that throws and hands its error over', () => {
    const sample = new Sample();
    const seen: string[] = [];
    const broken = new Error('broken listener');
    sample.once('ready', () => {
      throw broken;
    });
    sample.on('ready', () => seen.push('second'));
    sample.fire('ready', { shardId: 0 });
    expect(sample.emit('ready', { shardId: 0 })).toBe(true);
    expect(seen).toEqual(['second', 'second']);
    expect(sample.failures).toEqual([[broken, 'ready']]);
  });

  it('lets listeners come and go during an event: they count from the next one', () => {
    const sample = new Sample();
    const seen: string[] = [];
    const second = (): void => void seen.push('second');
    sample.once('ready', () => {
      sample.off('ready', second);
      sample.on('ready', () => seen.push('third'));
    });
    sample.on('ready', second);
    sample.fire('ready', { shardId: 0 });
    expect(seen).toEqual(['second']);
    sample.fire('ready', { shardId: 0 });
    expect(seen).toEqual(['second', 'third']);
  });

  it('by default throws a listener’s error out of a promise of its own', async () => {
    class Plain extends TypedEmitter<SampleEvents> {}
    const plain = new Plain();
    const broken = new Error('broken listener');
    const surfaced = new Promise((resolve) => {
      const others = process.listeners('unhandledRejection');
      process.removeAllListeners('unhandledRejection');
      process.once('unhandledRejection', (reason) => {
        for (const other of others) process.on('unhandledRejection', other);
        resolve(reason);
      });
    });
    plain.on('ready', () => {
      throw broken;
    });
    plain.emit('ready', { shardId: 0 });
    await expect(surfaced).resolves.toBe(broken);
  });
});
