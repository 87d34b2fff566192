/** The tools that read built types, on a made-up package. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeFixture, runTool } from './fixture.mjs';

const condition = (js, types) => ({ types: `./dist/${types}`, default: `./dist/${js}` });
const workspace = {
  'packages/sample/package.json': JSON.stringify({
    name: '@guildkit/sample',
    version: '1.0.0',
    exports: { '.': { import: condition('index.js', 'index.d.ts'), require: condition('index.cjs', 'index.d.cts') } },
  }),
  'packages/sample/tsconfig.build.json': JSON.stringify({ compilerOptions: { types: [] }, files: ['dist/index.d.ts'] }),
  'packages/sample/dist/index.d.ts': '/** Doubles. */\nexport declare function double(value: number): number;\n',
};
const readme = (code) => ({ 'packages/sample/README.md': `# Sample\n\n\`\`\`ts\n${code}\n\`\`\`\n` });

describe('readme-examples as a command', () => {
  it('passes an example that compiles against the built types', () => {
    const root = makeFixture({
      ...workspace,
      ...readme("import { double } from '@guildkit/sample';\ndouble(2).toFixed();"),
    });
    const { code, output } = runTool('readme-examples.mjs', ['--root', root]);
    expect(output).toContain('1 examples checked, 0 findings');
    expect(code).toBe(0);
  });

  it('names document and line of one that does not', () => {
    const root = makeFixture({ ...workspace, ...readme("import { double } from '@guildkit/sample';\ndouble('2');") });
    const { code, output } = runTool('readme-examples.mjs', ['--root', root]);
    expect(output).toContain("packages/sample/README.md:5:8 Argument of type 'string'");
    expect(code).toBe(1);
  });

  it('does not let two examples share a name, and fails without a build', () => {
    const twice = `${readme('const a = 1;')['packages/sample/README.md']}\n\`\`\`ts\nconst a = 'x';\n\`\`\`\n`;
    const root = makeFixture({ ...workspace, 'packages/sample/README.md': twice });
    expect(runTool('readme-examples.mjs', ['--root', root])).toMatchObject({ code: 0 });
    const { 'packages/sample/dist/index.d.ts': _built, ...unbuilt } = workspace;
    const { code, output } = runTool('readme-examples.mjs', ['--root', makeFixture(unbuilt)]);
    expect(output).toContain('not built: packages/sample/dist/index.d.ts');
    expect(code).toBe(1);
  });
});

describe('api-report as a command', () => {
  it('writes a report, is content with it, and fails when the surface has changed', () => {
    const root = makeFixture(workspace);
    const report = join(root, 'packages/sample/etc/index.api.md');
    expect(runTool('api-report.mjs', ['--check', '--root', root])).toMatchObject({ code: 1 });
    expect(runTool('api-report.mjs', ['--root', root])).toMatchObject({ code: 0 });
    expect(readFileSync(report, 'utf8')).toContain('export function double(value: number): number;');
    expect(runTool('api-report.mjs', ['--check', '--root', root])).toMatchObject({ code: 0 });

    writeFileSync(
      join(root, 'packages/sample/dist/index.d.ts'),
      '/** Doubles. */\nexport declare function double(value: bigint): bigint;\n',
    );
    const { code, output } = runTool('api-report.mjs', ['--check', '--root', root]);
    expect(output).toContain('packages/sample/etc/index.api.md is not up to date');
    expect(output).toContain('+ export function double(value: bigint): bigint;');
    expect(code).toBe(1);
  }, 30_000);
});
