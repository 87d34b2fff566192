import { check, type OptionChecks, resolveOptions } from '@guildkit/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

interface Settings {
  readonly timeoutMs: number;
  readonly label: string;
  readonly token: string | undefined;
}
const DEFAULTS: Settings = { timeoutMs: 100, label: 'a', token: undefined };
const CHECKS: OptionChecks<Settings> = {
  timeoutMs: check.integer(0, 1000),
  label: check.optional(check.text()),
};

describe('resolveOptions', () => {
  it('fills in defaults', () => {
    expect(resolveOptions('Owner', DEFAULTS, undefined, CHECKS)).toEqual(DEFAULTS);
    expect(resolveOptions('Owner', DEFAULTS, { timeoutMs: 5 }, CHECKS)).toEqual({ ...DEFAULTS, timeoutMs: 5 });
  });

  it('takes undefined for the default', () => {
    expect(resolveOptions('Owner', DEFAULTS, { timeoutMs: undefined, label: undefined }, CHECKS)).toEqual(DEFAULTS);
  });

  it('never hands out the defaults object or the given one', () => {
    const given = { timeoutMs: 5, label: 'b', token: 't' };
    const resolved = resolveOptions('Owner', DEFAULTS, given, CHECKS);
    expect(resolved).not.toBe(given);
    expect(resolveOptions('Owner', DEFAULTS, {}, CHECKS)).not.toBe(DEFAULTS);
  });

  it('names an unknown option and the known ones', () => {
    expect(() => resolveOptions('Owner', DEFAULTS, { timeout: 5 } as never)).toThrow(
      new TypeError('Owner: unknown option "timeout". Known: label, timeoutMs, token'),
    );
  });

  it('takes a name of Object.prototype for unknown, too', () => {
    const parsed = JSON.parse('{"__proto__": {"timeoutMs": 7}}') as object;
    for (const given of [parsed, { constructor: 1 }, { toString: 1 }]) {
      expect(() => resolveOptions('Owner', DEFAULTS, given as never)).toThrow(/unknown option/);
    }
  });

  it('says what a value must be, without repeating the value', () => {
    const checks = { token: check.integer(0) } as OptionChecks<Settings>;
    expect(() => resolveOptions('Owner', DEFAULTS, { timeoutMs: 1001 }, CHECKS)).toThrow(
      new TypeError('Owner: option "timeoutMs" must be an integer from 0 to 1000'),
    );
    expect(() => resolveOptions('Owner', DEFAULTS, { token: 'very secret' }, checks)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('very secret') as string }),
    );
  });

  it('makes an option required by a check that refuses undefined', () => {
    expect(() => resolveOptions('Owner', DEFAULTS, {}, { token: check.text('a bot token') })).toThrow(
      'Owner: option "token" must be a bot token',
    );
  });

  it('refuses options that are no object', () => {
    for (const given of [1, 'a', true, [], () => {}]) {
      expect(() => resolveOptions('Owner', DEFAULTS, given as never)).toThrow(/must be an object/);
    }
  });

  it('gives each key its value or its default (property)', () => {
    const given = fc.record(
      {
        timeoutMs: fc.option(fc.integer({ min: 0, max: 1000 }), { nil: undefined }),
        label: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(given, (options) => {
        const resolved = resolveOptions('Owner', DEFAULTS, options, CHECKS);
        expect(resolved).toEqual({
          timeoutMs: options.timeoutMs ?? DEFAULTS.timeoutMs,
          label: options.label ?? DEFAULTS.label,
          token: undefined,
        });
      }),
    );
  });
});

describe('check', () => {
  const cases: readonly (readonly [string, (value: unknown) => string | undefined, unknown[], unknown[]])[] = [
    ['integer', check.integer(1, 3), [1, 2, 3], [0, 4, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '2', undefined]],
    ['integer without bound', check.integer(0), [0, 2 ** 53 - 1], [2 ** 53, -1]],
    ['number', check.number(0, 1), [0, 0.5, 1], [-0.1, 1.1, Number.NaN, '1', undefined]],
    ['text', check.text(), ['a'], ['', 1, undefined, null]],
    ['boolean', check.boolean(), [true, false], [0, 'true', undefined]],
    ['function', check.function(), [() => {}], [{}, undefined]],
    ['oneOf', check.oneOf('a', 'b'), ['a', 'b'], ['c', '', undefined]],
    ['optional', check.optional(check.text()), ['a', undefined], ['', null]],
    [
      'httpUrl',
      check.httpUrl(),
      ['http://a', 'https://a.b/c?d#e', 'HTTP://127.0.0.1:80/v10', 'http://[::1]:1', 'http://a?b'],
      ['ftp://a', 'http://', 'http:///x', 'a.b', 'http://a b', 'http://a/b c', ' http://a', 'http://a\n', undefined],
    ],
  ];

  it.each(cases)('%s', (_name, holds, good, bad) => {
    for (const value of good) expect(holds(value), String(value)).toBeUndefined();
    for (const value of bad) expect(holds(value), String(value)).toMatch(/^must be /);
  });
});
