import { describe, expect, it } from 'vitest';
import { withReferences, withUseClient } from '../finish-build.mjs';

describe('withReferences', () => {
  it.each([
    ['export declare class A {\n  [Symbol.asyncDispose](): Promise<void>;\n}\n', ['lib="esnext.disposable"']],
    ['interface A extends AsyncDisposable {}\n', ['lib="esnext.disposable"']],
    ["import { Server } from 'node:http';\n", ['types="node"']],
    [
      'export declare function f(data: string | Buffer): AsyncDisposable;\n',
      ['lib="esnext.disposable"', 'types="node"'],
    ],
    ['/** Takes a Buffer, gives an AsyncDisposable. */\nexport declare const a: ArrayBuffer;\n', []],
  ])('asks for what %j needs, once', (text, expected) => {
    const complete = withReferences(text);
    expect(complete).toBe(expected.map((each) => `/// <reference ${each} />\n`).join('') + text);
    expect(withReferences(complete)).toBe(complete);
  });
});

describe('withUseClient', () => {
  it('puts the directive first and moves no line', () => {
    expect(withUseClient('"use strict";\nf();')).toBe('"use client";"use strict";\nf();');
    expect(withUseClient("'use client';\nf();")).toBe("'use client';\nf();");
  });
});
