/**
 * Checks the packed tarballs, which is what users get: manifest conventions, publint --strict, attw.
 *
 * `node tools/package-checks.mjs <folder with the tarballs>`
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { run } from './lib/run.mjs';
import { packages, readJson, root } from './lib/workspace.mjs';

/** Reads a tar archive: names and contents of its files. Long names of the pax form are not needed here. */
export function readTarball(path) {
  const tar = gunzipSync(readFileSync(path));
  const files = new Map();
  for (let at = 0; at + 512 <= tar.length; ) {
    const header = tar.subarray(at, at + 512);
    const text = (from, length) => header.toString('utf8', from, from + length).replace(/\0.*$/s, '');
    const name = text(0, 100);
    if (name === '') break;
    const size = Number.parseInt(text(124, 12), 8);
    const prefix = text(345, 155);
    const type = text(156, 1);
    if (type === '0' || type === '') {
      const full = prefix === '' ? name : `${prefix}/${name}`;
      files.set(full.replace(/^package\//, ''), tar.subarray(at + 512, at + 512 + size));
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

/** What is wrong with a package's manifest or with the files in its tarball. */
export function conventions(manifest, files, { version, fixed }) {
  const problems = [];
  const expect = (holds, problem) => {
    if (!holds) problems.push(problem);
  };
  expect(manifest.version === version, `version is ${manifest.version}, the group is at ${version}`);
  expect(fixed.includes(manifest.name), 'is missing from the fixed group in .changeset/config.json');
  expect(manifest.license === 'MIT', 'license must be MIT');
  expect(manifest.type === 'module', 'type must be module');
  expect(manifest.engines?.node === '>=20.19', 'engines.node must be >=20.19');
  expect(manifest.publishConfig?.access === 'public', 'publishConfig.access must be public');
  expect(manifest.sideEffects === false, 'sideEffects must be false: no entry does anything when it is imported');
  expect(typeof manifest.description === 'string' && manifest.description.length > 20, 'description is missing');
  expect(manifest.exports?.['./package.json'] === './package.json', 'exports must have ./package.json');
  for (const script of ['preinstall', 'install', 'postinstall']) {
    expect(manifest.scripts?.[script] === undefined, `must not have a ${script} script`);
  }
  for (const file of ['README.md', 'LICENSE', 'package.json']) expect(files.has(file), `${file} is not packed`);
  for (const name of files.keys()) {
    expect(
      /^((bin|console|dist)\/.*|README\.md|LICENSE|CHANGELOG\.md|package\.json)$/.test(name),
      `${name} is packed but belongs to no user`,
    );
  }
  for (const field of ['dependencies', 'peerDependencies', 'optionalDependencies']) {
    for (const [name, range] of Object.entries(manifest[field] ?? {})) {
      expect(!range.startsWith('workspace:'), `${field}.${name} is ${range}: pack with pnpm`);
      if (name.startsWith('@guildkit/')) expect(range === version, `${field}.${name} must be pinned to ${version}`);
    }
  }
  for (const [subpath, target] of Object.entries(manifest.exports ?? {})) {
    if (typeof target === 'string') continue;
    // A build for browsers goes before both.
    const conditions = Object.keys(target).join();
    expect(/^(browser,)?import,require$/.test(conditions), `exports ${subpath} must have import and require`);
    for (const condition of Object.values(target)) {
      expect(Object.keys(condition)[0] === 'types', `exports ${subpath}: types must come first`);
      for (const path of Object.values(condition)) {
        expect(files.has(path.slice(2)), `exports ${subpath}: ${path} is not packed`);
      }
    }
    for (const { default: path } of subpath === './react' ? Object.values(target) : []) {
      const code = files.get(path.slice(2))?.toString('utf8') ?? '';
      expect(/^['"]use client['"]/.test(code), `${path} does not start with 'use client'`);
    }
  }
  for (const [command, path] of Object.entries(manifest.bin ?? {})) {
    const code = files.get(path.replace(/^\.\//, ''))?.toString('utf8');
    expect(code !== undefined, `bin ${command}: ${path} is not packed`);
    expect(code?.startsWith('#!/usr/bin/env node\n') === true, `bin ${command}: ${path} has no #! line`);
  }
  return problems;
}

async function main(folder) {
  const problems = [];
  const all = packages();
  const version = all[0].manifest.version;
  const fixed = readJson('.changeset/config.json').fixed.flat();
  const tarballs = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  for (const { name, manifest } of all) {
    const file = `${name.slice(1).replace('/', '-')}-${manifest.version}.tgz`;
    const path = join(folder, file);
    if (!existsSync(path)) {
      problems.push(`${name}: ${file} is not in ${folder}`);
      continue;
    }
    const files = readTarball(path);
    const packed = JSON.parse(files.get('package.json').toString('utf8'));
    for (const problem of conventions(packed, files, { version, fixed })) problems.push(`${name}: ${problem}`);

    const bytes = readFileSync(path);
    const lint = await publint({ strict: true, pack: { tarball: new Uint8Array(bytes).buffer } });
    for (const message of lint.messages) {
      problems.push(`${name}: publint: ${formatMessage(message, lint.pkg, { color: false })}`);
    }
    // node10 knows no subpath exports.
    const attw = await run('attw', ['--profile', 'node16', '--no-color', '--no-emoji', path], { cwd: root });
    if (attw.code !== 0) problems.push(`${name}: attw:\n${attw.output}`);
  }
  for (const problem of problems) console.log(problem);
  console.log(`${tarballs.length} tarballs checked, ${problems.length} findings`);
  process.exitCode = problems.length > 0 || tarballs.length === 0 ? 1 : 0;
}

if (import.meta.filename === process.argv[1]) await main(process.argv[2] ?? '.');
