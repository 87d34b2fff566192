/**
 * Puts back what bundling drops from a package's `dist`: the libraries that its declarations need, and 'use client' at the
 * start of the entries that are for a page.
 *
 * `node ../../tools/finish-build.mjs` in the package's folder, after its build. Running it again changes nothing.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { filesBelow, packages } from './lib/workspace.mjs';

/**
 * What stands in a declaration, and the directive that it needs. Without them `Symbol.asyncDispose` is an error for a
 * consumer whose `lib` is older than it, and `node:http` for one whose `types` are empty.
 */
const NEEDS = [
  [/\bAsyncDisposable\b|\bSymbol\.asyncDispose\b/, '/// <reference lib="esnext.disposable" />'],
  [/\bfrom ['"]node:|\bimport\(['"]node:|\bBuffer\b|\bNodeJS\./, '/// <reference types="node" />'],
];

/** A declaration with the references that it lacks. */
export function withReferences(text) {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '');
  const missing = NEEDS.filter(([need, directive]) => need.test(code) && !text.includes(directive));
  return missing.map(([, directive]) => `${directive}\n`).join('') + text;
}

/** Code that starts with 'use client'. On the same line as what follows: the source map stays right. */
export function withUseClient(code) {
  return /^['"]use client['"]/.test(code) ? code : `"use client";${code}`;
}

function rewrite(path, change) {
  const before = readFileSync(path, 'utf8');
  const after = change(before);
  if (after !== before) writeFileSync(path, after);
}

function main(dir) {
  for (const path of filesBelow(join(dir, 'dist'), (name) => /\.d\.c?ts$/.test(name))) rewrite(path, withReferences);
  const self = packages(dirname(dirname(dir))).find(({ folder }) => folder === basename(dir));
  for (const { source, js, cjs } of self.entries) {
    if (!existsSync(source) || !/^['"]use client['"]/.test(readFileSync(source, 'utf8'))) continue;
    for (const path of [js, cjs]) rewrite(path, withUseClient);
  }
}

if (import.meta.filename === process.argv[1]) main(process.cwd());
