import { describe, expect, it } from 'vitest';
import { closingLine, countTap, countVitest, sum } from '../lib/counts.mjs';

const report = (changes) => ({
  numPassedTests: 3,
  numFailedTests: 1,
  numPendingTests: 2,
  numTodoTests: 1,
  testResults: [],
  ...changes,
});

describe('counts', () => {
  it('counts a vitest report', () => {
    expect(countVitest(report({}))).toEqual({ passed: 3, failed: 1, skipped: 3 });
  });

  it('takes a file that could not be loaded for a failure', () => {
    const testResults = [
      { status: 'failed', assertionResults: [] },
      { status: 'failed', assertionResults: [{}] },
      { status: 'passed', assertionResults: [] },
    ];
    expect(countVitest(report({ testResults }))).toMatchObject({ failed: 2 });
  });

  it('counts the totals at the end of a TAP stream, not those of its parts', () => {
    const tap =
      '    # pass 9\n# Subtest: a\n# pass 1\n# tests 7\n# pass 4\n# fail 1\n# cancelled 1\n# skipped 2\n# todo 1\n';
    expect(countTap(tap)).toEqual({ passed: 4, failed: 2, skipped: 3 });
    expect(countTap('')).toEqual({ passed: 0, failed: 0, skipped: 0 });
  });

  it('closes with one plain line', () => {
    expect(closingLine(sum([]))).toBe('0 passed, 0 failed');
    const all = sum([
      { passed: 2, failed: 0, skipped: 0 },
      { passed: 3, failed: 1, skipped: 4 },
    ]);
    expect(closingLine(all)).toBe('5 passed, 1 failed, 4 skipped');
  });
});
