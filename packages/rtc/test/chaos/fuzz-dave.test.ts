/**
 * A hostile voice gateway and hostile members, for DAVE: messages and frames changed at random, and noise, with the real library
 * behind: what it cannot take would end the process. A seeded sample; GUILDKIT_FUZZ_INPUTS sets how many inputs each parser and
 * the frames get (the library's sessions a twentieth), GUILDKIT_FUZZ_SEED where they begin.
 */
import { describe, expect, it } from 'vitest';
import { isEncryptable } from '../../src/protocol/dave/encryptable.js';
import { isProtocolFrame } from '../../src/protocol/dave/frame.js';
import { isExternalSender, parseProposals, parseTransition } from '../../src/protocol/dave/mls-messages.js';
import { createDaveClient, daveInputOf, loadDaveLibrary } from '../support/dave-imports.js';
import { CHANNEL, DaveRoom, type Member, userId } from '../support/dave-room.js';
import { below, mutate } from '../support/mutate.js';

const INPUTS = Number(process.env.GUILDKIT_FUZZ_INPUTS ?? 10_000);
const SEED = Number(process.env.GUILDKIT_FUZZ_SEED ?? 1);
const TIMEOUT_MS = Math.max(60_000, INPUTS * 5);

/** Each may bring all members of a call a new epoch. */
const MAX_IN_CALL = 500;

const library = await loadDaveLibrary();

type Told = { readonly op: number; readonly payload: Uint8Array };

/** A channel that has seen everything, and what its first member was told. */
function recorded() {
  const room = new DaveRoom(library);
  const told: Told[] = [];
  room.drops = (_, leg) => {
    if (leg.to === 'member' && leg.message.kind === 'binary') told.push(leg.message);
    return false;
  };
  const members = [1, 2, 3].map((n) => room.join(n));
  room.run(500);
  room.leave(members[2] as Member);
  room.run(500);
  room.join(4);
  room.run(500);
  expect(room.wrong()).toBeUndefined();
  return { room, told, a: members[0] as Member, b: members[1] as Member };
}

function inputs(count: number, seeds: readonly Uint8Array[], use: (bytes: Uint8Array, n: number) => void): void {
  const dice = below(SEED);
  for (let n = 0; n < count; n += 1) {
    const isNoise = n % 10 === 0;
    const bytes = isNoise
      ? Uint8Array.from({ length: dice(120) }, () => dice(256))
      : mutate(seeds[dice(seeds.length)] as Uint8Array, dice);
    try {
      use(bytes, n);
    } catch (error) {
      throw new Error(`input ${n} of seed ${SEED}: ${Buffer.from(bytes).toString('hex')}`, { cause: error });
    }
  }
}

describe('hostile', () => {
  it(
    'messages to the parsers',
    () => {
      const { told } = recorded();
      let taken = 0;
      inputs(
        INPUTS,
        told.map(({ payload }) => payload),
        (bytes) => {
          const proposals = parseProposals(bytes);
          const transition = parseTransition(bytes);
          if (proposals.ok) {
            const { value } = proposals;
            const views = value.type === 'append' ? value.proposals.map(({ message }) => message) : value.references;
            taken += 1;
            for (const view of views)
              if (view.length > bytes.length) throw new Error('a view leads out of the message');
          }
          if (transition.ok && transition.value.message.length !== bytes.length - 2) throw new Error('wrong message');
          isExternalSender(bytes);
          isProtocolFrame(bytes);
          for (const codec of ['opus', 'vp8', 'vp9', 'h264', 'h265', 'av1'] as const) isEncryptable(codec, bytes);
        },
      );
      expect(taken).toBeGreaterThan(INPUTS / 100);
    },
    TIMEOUT_MS,
  );

  it('JSON is no input, or a whole one', () => {
    const values = [undefined, null, 0, -1, 1.5, Number.NaN, 70_000, '', 'x', '1', {}, [], ['1', 2, {}], true];
    for (const op of [11, 13, 21, 22, 24, 99]) {
      for (const value of values) {
        expect(daveInputOf(op, value)).toBeUndefined();
        const d = { user_ids: value, user_id: value, protocol_version: value, transition_id: value, epoch: value };
        const input = daveInputOf(op, d);
        if (input !== undefined && op >= 21) expect(Object.values(input).slice(1)).toEqual(op === 22 ? [0] : [0, 0]);
      }
    }
  });

  it(
    'frames are not opened, and do no harm',
    () => {
      const { room, a, b } = recorded();
      const seeds = Array.from({ length: 20 }, (_, n) => {
        const frames = {
          opus: Buffer.alloc(40 + n, n),
          vp8: Buffer.from([n & 1, 1, 0, 0x9d, 1, 0x2a, 1, 2, 3, 4, ...Array(60).fill(n)]),
          h264: Buffer.from([0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 0, 1, 0x65, 0x88, ...Array(50).fill(n + 1)]),
        };
        const codec = (['opus', 'vp8', 'h264'] as const)[n % 3] ?? 'opus';
        const sealed = a.client.encrypt(codec === 'opus' ? 'audio' : 'video', codec, frames[codec]);
        if (!sealed.ok) throw new Error(`${codec}: ${sealed.reason}`);
        return sealed.data;
      });
      room.run(11_000);
      const valid = new Set(seeds.map((bytes) => Buffer.from(bytes).toString('hex')));
      let checked = 0;
      inputs(INPUTS, seeds, (bytes, n) => {
        if (isProtocolFrame(bytes)) checked += 1;
        if (valid.has(Buffer.from(bytes).toString('hex'))) return;
        const result = b.client.decrypt(a.id, n % 2 === 0 ? 'audio' : 'video', bytes, room.now);
        if (result.ok) throw new Error('it was opened');
      });
      expect(checked).toBeGreaterThan(INPUTS / 20);
      expect(room.wrong()).toBeUndefined();
    },
    TIMEOUT_MS,
  );

  it(
    'frames of the own encoder are encrypted whole or refused',
    () => {
      const { room, a, b } = recorded();
      const seeds = [
        Buffer.from([0x50, 1, 0, 0x9d, 1, 0x2a, 1, 2, 3, 4, 5, 6, 7]),
        Buffer.from([1, 2, 3]),
        Buffer.from([
          0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 0, 1, 0x68, 1, 2, 0, 0, 1, 0x65, 0x88, 0x84, 9, 9, 9, 0, 0, 1, 0x41, 0x9a, 7,
          7,
        ]),
        Buffer.from([0, 0, 1, 0x65, 0, 0, 3, 1, 0, 0, 3, 0x80, 7, 7, 7]),
      ];
      let encrypted = 0;
      inputs(INPUTS, seeds, (bytes, n) => {
        const codec = (['opus', 'vp8', 'vp9', 'h264', 'h265', 'av1'] as const)[n % 6] ?? 'opus';
        const kind = codec === 'opus' ? 'audio' : 'video';
        const sealed = a.client.encrypt(kind, codec, bytes);
        if (!sealed.ok || !sealed.encrypted) return;
        encrypted += 1;
        if (!isProtocolFrame(sealed.data)) throw new Error('not a protocol frame');
        const opened = b.client.decrypt(a.id, kind, sealed.data, room.now);
        if (!opened.ok) throw new Error(opened.reason);
        // H.264 comes back with start codes of four bytes.
        const expected = codec === 'h264' ? longStartCodes(bytes) : Buffer.from(bytes);
        if (Buffer.compare(opened.data, expected) !== 0) throw new Error('it came out otherwise');
      });
      expect(encrypted).toBeGreaterThan(INPUTS / 5);
    },
    TIMEOUT_MS,
  );

  it(
    'messages to a client with the real library: it says so, and can still be in a group',
    () => {
      const { told } = recorded();
      const dice = below(SEED + 7);
      const count = Math.ceil(INPUTS / 20);
      let effects = 0;
      let now = 0;
      const client = createDaveClient({ userId: userId(1), channelId: CHANNEL, library });
      client.handle({ type: 'session', protocolVersion: 1 }, now);
      client.handle({ type: 'clientsConnect', userIds: [userId(2), userId(3)] }, now);
      const sender = told.find(({ op }) => op === 25)?.payload ?? new Uint8Array(0);
      client.handle({ type: 'binary', op: 25, payload: sender }, now);
      inputs(
        count,
        told.map(({ payload }) => payload),
        (payload, n) => {
          now += 10;
          const op =
            n % 3 === 0
              ? [25, 26, 27, 28, 29, 30][dice(6)]
              : told.find((one) => one.payload.length >= payload.length)?.op;
          effects += client.handle({ type: 'binary', op: op ?? 27, payload }, now).length;
          if (client.deadline !== undefined && client.deadline <= now) client.handle({ type: 'timer' }, now);
        },
      );
      expect(effects).toBeGreaterThan(count);
      expect(client.stats.problems).toBeGreaterThan(count / 3);
      client.close();

      // The real thing, in the middle of a call.
      const { room, told: more, b } = recorded();
      inputs(
        Math.min(MAX_IN_CALL, Math.ceil(count / 4)),
        more.map(({ payload }) => payload),
        (payload, n) => {
          b.take({ type: 'binary', op: [27, 29, 30][n % 3] ?? 27, payload });
          room.run(5);
        },
      );
      room.run(30_000);
      expect(room.wrong()).toBeUndefined();
    },
    TIMEOUT_MS,
  );
});

function longStartCodes(bytes: Uint8Array): Buffer {
  const text = Buffer.from(bytes).toString('latin1');
  const units = text.split(/\0?\0\0\x01/).slice(1);
  return Buffer.from(units.map((unit) => `\0\0\0\x01${unit}`).join(''), 'latin1');
}
