import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { idsOf, namesOf, problemsOf, rowsOf, TARGET } from '../acceptance-doc.mjs';
import { makeFixture } from './fixture.mjs';

test('docs/acceptance.md has every sentence of the specifications, and all that it cites is there', () => {
  expect(problemsOf(readFileSync(TARGET, 'utf8'))).toEqual([]);
});

test('ids are spelled as the specifications spell them', () => {
  expect(idsOf({ '000': { US1: 2, EC: 1, FR: 1 } })).toEqual(['000 US1.1', '000 US1.2', '000 EC-1', '000 FR-001']);
  expect(new Set(idsOf()).size).toBe(idsOf().length);
});

describe('namesOf', () => {
  it('reads names of tests and groups, whatever stands between', () => {
    const source = `
      describe.skipIf(x)('a "group"', () => {
        it('one', () => {});
        test.each([[1], [2]])('%i of two', () => other('none'));
        test(\`\${days} days\`, () => {});
      });`;
    expect([...namesOf(source)]).toEqual(['a "group"', 'one', '%i of two', `\${days} days`]);
  });
});

describe('problemsOf', () => {
  const folder = () =>
    makeFixture({ 'a.test.ts': `it('holds [x] | y', () => {});`, 'figures.md': '## The hub: µs & more\n' });
  const check = (rows, ids) => problemsOf(rows.join('\n'), { page: join(folder(), 'page.md'), ids });

  it('finds nothing wrong with what is there', () => {
    const rows = [
      '| 000 US1.1 | sentence | [holds \\[x\\] \\| y](a.test.ts), [figures](figures.md#the-hub-µs--more) |',
      '| 000 US1.2 | sentence | **open**: cannot be shown here |',
    ];
    expect(check(rows, ['000 US1.1', '000 US1.2'])).toEqual([]);
    expect(rowsOf(rows.join('\n')).map(({ isOpen }) => isOpen)).toEqual([false, true]);
  });

  it('names what is missing, doubled, unknown, or shown by nothing', () => {
    const rows = [
      '| 000 US1.1 | s | [another](a.test.ts) |',
      '| 000 US1.1 | s | [x](b.test.ts) |',
      '| 000 US1.2 | s | [f](figures.md#elsewhere) |',
      '| 000 US9.9 | s | seen by hand |',
    ];
    const problems = check(rows, ['000 US1.1', '000 US1.2', '000 US1.3']);
    expect(problems.map((problem) => problem.replace(/\S*guildkit-fixture-[^/]+\//, ''))).toEqual([
      '000 US1.3: no row',
      '000 US9.9: not in the specifications',
      '000 US1.1: twice',
      '000 US1.1: a.test.ts has no "another"',
      '000 US1.1: there is no b.test.ts',
      '000 US1.2: figures.md has no heading #elsewhere',
      '000 US9.9: shown by nothing, and not marked as open',
    ]);
  });
});
