import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { render, TARGET } from '../../../../tools/sandbox-docs.mjs';
import { CONTROL_ROUTES } from '../../src/control-api.js';
import { CLOSE_CODES } from '../../src/protocol/gateway/close-codes.js';
import { parseClientFrame } from '../../src/protocol/gateway/frames.js';
import { intentsFor } from '../../src/protocol/gateway/intents.js';
import { OPCODES } from '../../src/protocol/gateway/opcodes.js';
import { SCOPES } from '../../src/protocol/oauth/authorize.js';
import { NOT_EMULATED, ROUTES } from '../../src/protocol/routes/index.js';
import { DISPATCHES } from '../../src/protocol/world/events.js';

test('docs/sandbox.md is what the code says: else run `node tools/sandbox-docs.mjs`', () => {
  const page = render({ ROUTES, NOT_EMULATED, OPCODES, CLOSE_CODES, CONTROL_ROUTES, DISPATCHES, intentsFor, SCOPES });
  expect(readFileSync(TARGET, 'utf8')).toBe(page);
});

describe('its tables are true', () => {
  test('every opcode that a client may send is taken, and no other', () => {
    const taken = Array.from({ length: 64 }, (_, op) => op).filter((op) => {
      const frame = parseClientFrame(JSON.stringify({ op, d: null }));
      return !(frame.kind === 'invalid' && frame.code === 4001);
    });
    const named = OPCODES.filter(({ from }) => from === 'client').map(({ op }) => op);
    expect(taken).toEqual(named.sort((a, b) => a - b));
  });

  test('each route stands once, and none both ways', () => {
    const names = [...ROUTES, ...NOT_EMULATED].map(({ method, path }) => `${method} ${path}`);
    expect(new Set(names).size).toBe(names.length);
  });
});
