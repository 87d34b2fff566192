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
import { VOICE_CLOSE_CODES } from '../../src/protocol/voice/close-codes.js';
import { parseVoiceBinary, parseVoiceText } from '../../src/protocol/voice/frames.js';
import { VOICE_OPCODES } from '../../src/protocol/voice/opcodes.js';
import { DISPATCHES } from '../../src/protocol/world/events.js';

test('docs/sandbox.md is what the code says: else run `node tools/sandbox-docs.mjs`', () => {
  const page = render({
    ROUTES,
    NOT_EMULATED,
    OPCODES,
    CLOSE_CODES,
    VOICE_OPCODES,
    VOICE_CLOSE_CODES,
    CONTROL_ROUTES,
    DISPATCHES,
    intentsFor,
    SCOPES,
  });
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

  test('every opcode that a voice client may send is taken, and no other', () => {
    const isTaken = (frame: ReturnType<typeof parseVoiceText>): boolean =>
      !(frame.kind === 'invalid' && frame.code === 4001);
    const all = Array.from({ length: 64 }, (_, op) => op);
    const taken = (form: 'json' | 'binary') =>
      all.filter((op) =>
        isTaken(form === 'json' ? parseVoiceText(JSON.stringify({ op })) : parseVoiceBinary(new Uint8Array([op, 0]))),
      );
    for (const form of ['json', 'binary'] as const) {
      const named = VOICE_OPCODES.filter((line) => line.from === 'client' && line.form === form).map(({ op }) => op);
      expect(taken(form)).toEqual(named.sort((a, b) => a - b));
    }
  });

  test('each route stands once, and none both ways', () => {
    const names = [...ROUTES, ...NOT_EMULATED].map(({ method, path }) => `${method} ${path}`);
    expect(new Set(names).size).toBe(names.length);
  });
});
