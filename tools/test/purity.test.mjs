import { describe, expect, it } from 'vitest';
import { check } from '../purity.mjs';
import { makeFixture, runTool } from './fixture.mjs';

const messages = (text) => check('session.ts', text).map(({ line, message }) => `${line} ${message}`);

describe('purity: what it finds', () => {
  it.each([
    ['const at = Date.now();', /Date/],
    ['const at = new Date();', /Date/],
    ['let at: Date;', /Date/],
    ['const n = Math.random();', /Math\.random/],
    ["const n = Math['random']();", /Math\.random/],
    ['const { random } = Math;', /Math\.random/],
    ['const at = performance.now();', /performance/],
    ['setTimeout(() => {}, 1);', /setTimeout/],
    ['const later = setInterval;', /setInterval/],
    ['queueMicrotask(() => {});', /queueMicrotask/],
    ['process.exit();', /process/],
    ["console.log('x');", /console/],
    ['crypto.randomUUID();', /crypto/],
    ["await fetch('http://x');", /fetch/],
    ['const f = { fetch };', /fetch/],
    ['globalThis.Date;', /globalThis/],
    ["Buffer.from('x');", /Buffer/],
    ['function f(process: number) { return process; }', /process/],
    ["import { readFileSync } from 'node:fs';", /node:fs/],
    ["import type { Socket } from 'node:net';", /node:net/],
    ["import fs from 'fs';", /fs is platform/],
    ["export { x } from 'node:os';", /node:os/],
    ["import { inflate } from '../codec/inflate.js';", /codec/],
    ["import type { Socket } from '../../io/socket.js';", /io/],
    ["import './io/socket.js';", /io/],
    ["import WebSocket from 'ws';", /ws/],
    ["const x = await import('./other.js');", /import\(\)/],
    ['import.meta.url;', /import\.meta/],
    ["const fs = require('fs');", /require/],
  ])('%s', (text, message) => {
    expect(messages(text).join('\n')).toMatch(message);
  });

  it('says where', () => {
    expect(check('a.ts', 'const a = 1;\n  Date.now();\n')).toEqual([
      { line: 2, column: 3, message: 'Date is not pure: take it as an input' },
    ]);
  });
});

describe('purity: what it lets through', () => {
  it.each([
    ['// Date.now() and Math.random() in a comment'],
    ["const text = 'Date.now()';"],
    ['const n = Math.max(1, Math.floor(2.5));'],
    ['interface Reply { fetch: boolean; process(): void; readonly performance?: number }'],
    ['const reply = { fetch: true, crypto: 1 }; reply.fetch;'],
    ['const { fetch: wanted } = reply;'],
    ['type At = Reply["process"];'],
    ["import { backoffDelay } from '@guildkit/core';"],
    ["import { parseRoom } from '@guildkit/core/wire';"],
    ["import { GatewayOpcodes } from 'discord-api-types/v10';"],
    ["import * as z from 'zod/mini';"],
    ["import type { RawData } from 'ws';"],
    ["import { step } from './session.js';"],
    ["import { CODES } from '../errors.js';"],
    ["import { x } from './audio/iota.js';"],
  ])('%s', (text) => {
    expect(messages(text)).toEqual([]);
  });
});

describe('purity as a command', () => {
  it('fails and names the place, in nested protocol folders alone', () => {
    const root = makeFixture({
      'packages/a/src/protocol/session.ts': 'export const at = Date.now();\n',
      'packages/a/src/hub/protocol/deep/room.ts': 'export const n = Math.random();\n',
      'packages/a/src/io/socket.ts': 'export const at = Date.now();\n',
      'packages/a/test/protocol/session.ts': 'export const at = Date.now();\n',
    });
    const { code, output } = runTool('purity.mjs', ['--root', root]);
    expect(code).toBe(1);
    expect(output).toContain('packages/a/src/protocol/session.ts:1:19');
    expect(output).toContain('packages/a/src/hub/protocol/deep/room.ts:1:18');
    expect(output).toContain('2 protocol files, 2 findings');
  });

  it('passes a pure folder and fails when there is none to look at', () => {
    const pure = makeFixture({ 'packages/a/src/protocol/session.ts': 'export const one = 1;\n' });
    expect(runTool('purity.mjs', ['--root', pure])).toMatchObject({ code: 0 });
    expect(runTool('purity.mjs', ['--root', makeFixture({ 'packages/a/src/x.ts': '' })])).toMatchObject({ code: 1 });
  });
});

describe('typecheck-protocol as a command', () => {
  const base = { 'tsconfig.base.json': JSON.stringify({ compilerOptions: { target: 'es2022', strict: true } }) };

  it('knows the language and nothing of the platform', () => {
    const root = makeFixture({
      ...base,
      'packages/a/src/protocol/good.ts': 'export const last = [1, 2].toSorted().at(-1);\n',
      'packages/a/src/protocol/bad.ts': 'export const wait = setTimeout;\nexport const page = window;\n',
    });
    const { code, output } = runTool('typecheck-protocol.mjs', ['--root', root]);
    expect(code).toBe(1);
    expect(output).toMatch(/bad\.ts\(1,\d+\): error TS2304: Cannot find name 'setTimeout'/);
    expect(output).toContain('2 findings');
  });

  it('passes what uses the language alone', () => {
    const root = makeFixture({ ...base, 'packages/a/src/protocol/good.ts': 'export const one = Math.max(1);\n' });
    expect(runTool('typecheck-protocol.mjs', ['--root', root])).toMatchObject({ code: 0 });
  });
});
