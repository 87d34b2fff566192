import { describe, expect, it } from 'vitest';
import { fencesOf } from '../readme-examples.mjs';

const markdown = [
  '# Title',
  '```ts',
  'const a = 1;',
  'const b = 2;',
  '```',
  '```js',
  'not(typed);',
  '```',
  '- in a list',
  '  ```tsx title="x"',
  '  <a />;',
  '    <b />;',
  '  ```',
  '```ts no-check',
  'fragment(',
  '```',
  '````ts',
  "const fence = '```';",
  '```',
  '````',
  '```typescript',
  'unclosed();',
].join('\n');

describe('fencesOf', () => {
  it('takes the TypeScript fences that are not fragments, with their line', () => {
    expect(fencesOf(markdown)).toEqual([
      { line: 3, language: 'ts', code: 'const a = 1;\nconst b = 2;' },
      { line: 11, language: 'tsx', code: '<a />;\n  <b />;' },
      { line: 18, language: 'ts', code: "const fence = '```';\n```" },
      { line: 22, language: 'ts', code: 'unclosed();' },
    ]);
  });

  it('reads Windows line ends', () => {
    expect(fencesOf('```ts\r\nconst a = 1;\r\n```\r\n')).toEqual([{ line: 2, language: 'ts', code: 'const a = 1;' }]);
  });
});
