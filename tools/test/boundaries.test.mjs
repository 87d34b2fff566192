/** The import rules, on made-up workspaces: each rule has to be seen to fail. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../lib/workspace.mjs';
import { makeFixture, runCommand } from './fixture.mjs';

const clean = {
  'tsconfig.base.json': JSON.stringify({
    compilerOptions: {
      module: 'esnext',
      moduleResolution: 'bundler',
      paths: { '@guildkit/*': ['./packages/*/src/index.ts'] },
    },
  }),
  'packages/core/src/index.ts': 'export const core = 1;\n',
  'packages/rtp/src/index.ts': "export { core as rtp } from '@guildkit/core';\n",
  'packages/sandbox/src/index.ts': "export { rtp as sandbox } from '@guildkit/rtp';\n",
  'packages/gateway/src/index.ts': "export { core } from '@guildkit/core';\nexport { socket } from './io/socket.js';\n",
  'packages/gateway/src/io/socket.ts': "export { inflate as socket } from '../codec/inflate.js';\n",
  'packages/gateway/src/codec/inflate.ts': "export { op as inflate } from '../protocol/op.js';\n",
  'packages/gateway/src/protocol/op.ts': 'export const op = 1;\n',
  'packages/gateway/test/unit/a.test.ts': "export { sandbox as a } from '@guildkit/sandbox';\n",
  'packages/rest/package.json': JSON.stringify({ dependencies: { mine: '1.0.0' }, devDependencies: { dev: '1.0.0' } }),
  'packages/rest/src/index.ts': "import 'mine';\nexport const rest = 1;\nexport interface Rest {}\n",
  'packages/redis/src/types.ts': "export type { Rest } from '@guildkit/rest';\n",
  'packages/rest/node_modules/mine/package.json': JSON.stringify({ name: 'mine', main: 'index.js' }),
  'packages/rest/node_modules/mine/index.js': '',
  'packages/rest/node_modules/dev/package.json': JSON.stringify({ name: 'dev', main: 'index.js' }),
  'packages/rest/node_modules/dev/index.js': '',
  'examples/app/src/a.ts': "export { rest } from '@guildkit/rest';\n",
};

/** Rule, file that breaks it, and the file's text. */
const VIOLATIONS = [
  ['core-imports', 'packages/core/src/bad.ts', "import '@guildkit/rest';\n"],
  ['rtp-imports', 'packages/rtp/src/bad.ts', "import '@guildkit/rest';\n"],
  ['sandbox-imports', 'packages/sandbox/src/bad.ts', "import '@guildkit/rest';\n"],
  ['redis-imports-types', 'packages/redis/src/bad.ts', "export { rest } from '@guildkit/rest';\n"],
  ['no-package-imports-another', 'packages/gateway/src/bad.ts', "export type { Rest } from '@guildkit/rest';\n"],
  ['no-package-imports-another', 'packages/server-kit/src/hub/bad.ts', "import '../../../sandbox/src/index.js';\n"],
  ['src-not-to-tests', 'packages/gateway/src/bad-test.ts', "import '../test/unit/a.test.js';\n"],
  ['tests-use-own-core-sandbox', 'packages/gateway/test/unit/bad.test.ts', "import '@guildkit/rest';\n"],
  [
    'tests-of-redis-use-the-twins',
    'packages/redis/test/unit/bad.test.ts',
    "import '../../../../examples/app/src/a.js';\n",
  ],
  ['sandbox-base-not-tested-with-sandbox', 'packages/rtp/test/unit/bad.test.ts', "import '@guildkit/sandbox';\n"],
  // By a detour, and of a type alone.
  ['protocol-is-pure', 'packages/gateway/src/protocol/bad.ts', "export type { far } from '../far.js';\n"],
  ['protocol-no-platform', 'packages/gateway/src/protocol/bad-net.ts', "export type { Socket } from 'node:net';\n"],
  ['codec-does-no-io', 'packages/gateway/src/codec/bad.ts', "import '../io/socket.js';\n"],
  ['browser-code-no-platform', 'packages/realtime-client/src/bad.ts', "import 'node:net';\n"],
  ['no-circular', 'packages/rest/src/bad-a.ts', "export type { b } from './bad-b.js';\nexport const a = 1;\n"],
  ['not-to-unresolvable', 'packages/rest/src/bad-gone.ts', "import './gone.js';\n"],
  ['src-only-own-dependencies', 'packages/rest/src/bad-dev.ts', "import 'dev';\n"],
  ['examples-use-entries', 'examples/app/src/bad.ts', "import '../../../packages/gateway/src/io/socket.js';\n"],
];
const ACCOMPLICES = {
  'packages/gateway/src/far.ts': "export { socket as far } from './io/socket.js';\n",
  'packages/rest/src/bad-b.ts': "export type { a } from './bad-a.js';\nexport const b = 1;\n",
};

function cruise(changes) {
  const dir = makeFixture({ ...clean, ...changes });
  const args = ['--config', join(root, '.dependency-cruiser.cjs'), '--output-type', 'json', 'packages', 'examples'];
  const { code, output } = runCommand('depcruise', args, { cwd: dir });
  const { summary } = JSON.parse(output.slice(output.indexOf('{')));
  return { code, violations: summary.violations.map(({ rule, from }) => `${rule.name} ${from}`), cruised: summary };
}

describe('the import rules', () => {
  it('let a clean workspace pass', () => {
    const { violations, cruised } = cruise({});
    expect(violations).toEqual([]);
    expect(cruised.totalCruised).toBeGreaterThan(10);
  });

  it('are each broken where the file breaks them', () => {
    const bad = Object.fromEntries(VIOLATIONS.map(([, path, text]) => [path, text]));
    const { violations } = cruise({ ...bad, ...ACCOMPLICES });
    expect(violations).toEqual(expect.arrayContaining(VIOLATIONS.map(([rule, path]) => `${rule} ${path}`)));
    // And no rule takes offence at a file that is in order.
    expect(violations.filter((violation) => !violation.includes('/bad'))).toEqual([]);
  });

  it('end the command with an error', () => {
    const dir = makeFixture({ ...clean, 'packages/core/src/bad.ts': "import '@guildkit/rest';\n" });
    const { code, output } = runCommand('depcruise', ['--config', join(root, '.dependency-cruiser.cjs'), 'packages'], {
      cwd: dir,
    });
    expect(output).toContain('error core-imports: packages/core/src/bad.ts');
    expect(code).toBe(1);
  });
});
