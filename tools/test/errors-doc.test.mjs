import { readFileSync } from 'node:fs';
import { CommandError, RealtimeError } from '@guildkit/realtime-client';
import { describe, expect, it, test } from 'vitest';
import { codesOf, collect, problemsOf, render, TARGET } from '../errors-doc.mjs';
import { ERROR_FACTS } from '../lib/error-facts.mjs';

test('docs/errors.md is what the code says: else run `node tools/errors-doc.mjs`', () => {
  const collected = collect();
  expect(problemsOf(collected)).toEqual([]);
  expect(readFileSync(TARGET, 'utf8')).toBe(render(collected));
});

test('every package but core has codes, and no code stands twice', () => {
  const collected = collect();
  expect(collected.filter(({ codes }) => codes.length === 0).map(({ folder }) => folder)).toEqual(['core']);
  const codes = collected.flatMap((entry) => entry.codes.map(({ code }) => code));
  expect(codes.filter((code, at) => codes.indexOf(code) !== at)).toEqual([]);
});

test('what the page says of trying again is what the browser client says', () => {
  const codes = Object.keys(ERROR_FACTS).filter((code) => code.startsWith('ERR_REALTIME_'));
  expect(codes.length).toBeGreaterThan(5);
  for (const code of codes) {
    const error = /_COMMAND_/.test(code) ? new CommandError({ code, command: 'say' }) : new RealtimeError({ code });
    expect([code, error.retryable]).toEqual([code, ERROR_FACTS[code].again === 'yes']);
  }
});

describe('codesOf', () => {
  it('reads tables of remedies, of entries, and unions with a table in their comment', () => {
    const source = `
      export const A = { ERR_A_ONE: 'do | this', ERR_A_TWO: 'that' } as const satisfies Record<string, string>;
      export const B = { ERR_B_ONE: { message: 'It broke.', remedy: 'Mend it.' } };
      /**
       * | code | meaning | remedy |
       * |---|---|---|
       * | \`ERR_C_ONE\` | it went | fetch it |
       */
      export type CErrorCode = 'ERR_C_ONE' | 'ERR_C_TWO';
    `;
    expect(codesOf(source)).toEqual([
      { code: 'ERR_A_ONE', remedy: 'do | this' },
      { code: 'ERR_A_TWO', remedy: 'that' },
      { code: 'ERR_B_ONE', meaning: 'It broke.', remedy: 'Mend it.' },
      { code: 'ERR_C_ONE', meaning: 'It went.', remedy: 'Fetch it.' },
      { code: 'ERR_C_TWO' },
    ]);
  });
});

describe('problemsOf', () => {
  it('names codes without meaning or remedy, and facts about codes that are gone', () => {
    const collected = [{ codes: [{ code: 'ERR_A' }, { code: 'ERR_B', meaning: 'm', remedy: 'r' }] }];
    expect(problemsOf(collected, { ERR_GONE: {} })).toEqual([
      'ERR_A: no meaning, add it to error-facts.mjs',
      'ERR_A: no remedy, add it to its errors.ts',
      'ERR_GONE: in error-facts.mjs, in no package',
    ]);
  });
});
