import { inspect } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { GuildkitError, isErrorNamed, messageOf } from '@guildkit/core';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';

class SampleError extends GuildkitError<'ERR_SAMPLE_THING_BROKEN'> {
  constructor(message: string, cause?: unknown) {
    super('SampleError', message, { code: 'ERR_SAMPLE_THING_BROKEN', retryable: true, cause });
  }
  static override is(value: unknown): value is SampleError {
    return isErrorNamed(value, 'SampleError');
  }
}

describe('GuildkitError', () => {
  it('carries code, retryability and cause', () => {
    const cause = new Error('below');
    const error = new SampleError('broken', cause);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ code: 'ERR_SAMPLE_THING_BROKEN', retryable: true, message: 'broken', cause });
    expect(String(error)).toBe('SampleError: broken');
  });

  it('is not retryable and has no cause unless told', () => {
    const error = new GuildkitError('PlainError', 'no', { code: 'ERR_X' });
    expect(error.retryable).toBe(false);
    expect('cause' in error).toBe(false);
  });

  it('keeps name and brand out of what a logger prints or compares', () => {
    expect(Object.keys(new SampleError('broken'))).toEqual(['code', 'retryable']);
    expect(inspect(new SampleError('broken'))).not.toContain('@guildkit/error');
  });

  it('shows its cause when it is inspected', () => {
    expect(inspect(new SampleError('broken', new Error('the cause below')))).toContain('the cause below');
  });
});

describe('is()', () => {
  it('tells classes apart', () => {
    const error: unknown = new SampleError('broken');
    expect(SampleError.is(error)).toBe(true);
    expect(GuildkitError.is(error)).toBe(true);
    expect(isErrorNamed(error, 'OtherError')).toBe(false);
  });

  it('knows the errors of another copy of the package, where instanceof fails', async () => {
    vi.resetModules();
    const other = (await import('../../src/errors.js')) as { GuildkitError: typeof GuildkitError };
    expect(other.GuildkitError).not.toBe(GuildkitError);
    const foreign: unknown = new other.GuildkitError('SampleError', 'x', { code: 'ERR_SAMPLE_THING_BROKEN' });
    expect(foreign instanceof GuildkitError).toBe(false);
    expect(GuildkitError.is(foreign)).toBe(true);
    expect(SampleError.is(foreign)).toBe(true);
    expect(other.GuildkitError.is(new SampleError('broken'))).toBe(true);
  });

  it('refuses everything that is no guildkit error', () => {
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error('hands off');
        },
      },
    );
    const lookalike = { name: 'SampleError', code: 'ERR_SAMPLE_THING_BROKEN', message: 'broken' };
    for (const value of [new Error('x'), lookalike, null, undefined, 'SampleError', 7, revoked.proxy, hostile]) {
      expect(GuildkitError.is(value)).toBe(false);
      expect(SampleError.is(value)).toBe(false);
    }
    fc.assert(fc.property(fc.anything(), (value) => !GuildkitError.is(value)));
  });
});

describe('messageOf', () => {
  it('takes the message of an error', () => {
    expect(messageOf(new SampleError('broken'))).toBe('broken');
    expect(messageOf('text')).toBe('text');
    expect(messageOf(undefined)).toBe('undefined');
  });

  it('finds words where the message is empty', () => {
    expect(messageOf(new TypeError(''))).toBe('TypeError');
    expect(messageOf(new AggregateError([new Error('::1 refused'), new Error('127.0.0.1 refused')]))).toBe(
      '::1 refused; 127.0.0.1 refused',
    );
    expect(messageOf(new AggregateError([]))).toBe('AggregateError');
  });

  it('understands errors of another realm', () => {
    expect(messageOf(runInContext('new Error("from afar")', createContext()))).toBe('Error: from afar');
  });

  it('never throws, whatever was thrown', () => {
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    expect(messageOf(Object.create(null))).toBe('a value that cannot be printed');
    expect(messageOf(revoked.proxy)).toBe('a value that cannot be printed');
    fc.assert(fc.property(fc.anything({ withNullPrototype: true }), (value) => typeof messageOf(value) === 'string'));
  });
});
