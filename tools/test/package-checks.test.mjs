import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { conventions, readTarball } from '../package-checks.mjs';
import { makeFixture } from './fixture.mjs';

const group = { version: '1.2.3', fixed: ['@guildkit/sample'] };
const condition = (extension) => ({
  types: `./dist/index.d.${extension === 'js' ? 'ts' : 'cts'}`,
  default: `./dist/index.${extension}`,
});
const manifest = {
  name: '@guildkit/sample',
  version: '1.2.3',
  description: 'A package made up for a test',
  license: 'MIT',
  type: 'module',
  sideEffects: false,
  engines: { node: '>=20.19' },
  publishConfig: { access: 'public' },
  exports: { '.': { import: condition('js'), require: condition('cjs') }, './package.json': './package.json' },
  dependencies: { '@guildkit/core': '1.2.3', ws: '8.23.0' },
};
const names = [
  'dist/index.js',
  'dist/index.cjs',
  'dist/index.d.ts',
  'dist/index.d.cts',
  'README.md',
  'LICENSE',
  'package.json',
];
const files = (...more) => new Map([...names, ...more].map((name) => [name, Buffer.from('')]));

describe('conventions', () => {
  it('has nothing against a package as it should be', () => {
    expect(conventions(manifest, files('CHANGELOG.md', 'dist/index.js.map'), group)).toEqual([]);
  });

  it.each([
    ['version', { version: '1.2.4' }, /group is at 1\.2\.3/],
    ['group', { name: '@guildkit/other' }, /fixed group/],
    ['licence', { license: 'ISC' }, /MIT/],
    ['engines', { engines: { node: '>=22' } }, />=20\.19/],
    ['access', { publishConfig: undefined }, /public/],
    ['side effects', { sideEffects: undefined }, /sideEffects/],
    ['workspace range', { dependencies: { '@guildkit/core': 'workspace:*' } }, /pack with pnpm/],
    ['loose range', { dependencies: { '@guildkit/core': '^1.2.3' } }, /pinned/],
    ['install script', { scripts: { postinstall: 'node x' } }, /postinstall/],
    [
      'missing condition',
      { exports: { '.': { import: condition('js') }, './package.json': './package.json' } },
      /import and require/,
    ],
    [
      'file that is not packed',
      {
        exports: {
          ...manifest.exports,
          './x': { import: condition('js'), require: { types: './dist/x.d.cts', default: './dist/x.cjs' } },
        },
      },
      /dist\/x\.cjs is not packed/,
    ],
    ['bin without #!', { bin: { sample: './dist/index.js' } }, /no #! line/],
    [
      'React entry without use client',
      { exports: { ...manifest.exports, './react': manifest.exports['.'] } },
      /use client/,
    ],
  ])('objects to a wrong %s', (_what, changes, problem) => {
    expect(conventions({ ...manifest, ...changes }, files(), group).join('\n')).toMatch(problem);
  });

  it('wants use client in both formats', () => {
    const react = { import: condition('js'), require: condition('cjs') };
    const all = files('bin/sample.js');
    all.set('dist/index.js', Buffer.from('"use client";'));
    const withReact = { ...manifest, exports: { ...manifest.exports, './react': react } };
    expect(conventions(withReact, all, group)).toEqual(["./dist/index.cjs does not start with 'use client'"]);
    all.set('dist/index.cjs', Buffer.from('"use client";"use strict";'));
    expect(conventions(withReact, all, group)).toEqual([]);
  });

  it('objects to files that belong to no user, and to missing ones', () => {
    expect(conventions(manifest, files('test/a.test.ts', '.env'), group)).toHaveLength(2);
    const without = files();
    without.delete('LICENSE');
    expect(conventions(manifest, without, group)).toEqual(['LICENSE is not packed']);
  });
});

describe('readTarball', () => {
  it('reads names and contents, prefixes included', () => {
    const entry = (name, text, prefix = '') => {
      const header = Buffer.alloc(512);
      header.write(name, 0);
      header.write(`${text.length.toString(8).padStart(11, '0')}\0`, 124);
      header.write('0', 156);
      header.write(prefix, 345);
      return Buffer.concat([header, Buffer.from(text.padEnd(Math.ceil(text.length / 512) * 512, '\0'))]);
    };
    const dir = makeFixture({});
    const path = join(dir, 'a.tgz');
    const long = 'x'.repeat(600);
    writeFileSync(
      path,
      gzipSync(Buffer.concat([entry('package/a.js', long), entry('b.js', 'b', 'package/dist'), Buffer.alloc(1024)])),
    );
    expect([...readTarball(path)].map(([name, bytes]) => [name, bytes.toString()])).toEqual([
      ['a.js', long],
      ['dist/b.js', 'b'],
    ]);
  });
});
