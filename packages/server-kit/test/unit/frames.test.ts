/** Bytes out and text in. */
import { envelopeSchema } from '@guildkit/core/wire/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textFrame } from '../../src/hub/codec/frames.js';
import { recordJson, recordMessage } from '../../src/hub/codec/message.js';
import { parseClientFrame } from '../../src/hub/protocol/client-frame.js';
import { RoomLog } from '../../src/hub/protocol/room-log.js';
import { textOf } from '../support/in-memory-hub.js';

describe('a text frame', () => {
  it('carries any text, in each of the three length forms', () => {
    for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]) {
      const text = 'x'.repeat(length);
      const frame = textFrame(text);
      expect(frame[0]).toBe(0x81);
      expect(textOf(frame)).toBe(text);
      expect(frame.length - length).toBe(length < 126 ? 2 : length < 65_536 ? 4 : 10);
    }
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(textOf(textFrame(text))).toBe(text);
      }),
    );
  });

  it('of an event is built once, and holds a valid envelope', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.jsonValue(),
        fc.string(),
        fc.option(fc.string(), { nil: undefined }),
        (event, payload, id, traceId) => {
          const record = {
            room: 'user:1',
            epoch: 'e',
            seq: 1,
            event,
            payload: JSON.stringify(payload),
            id,
            ts: 5,
            ...(traceId === undefined ? {} : { traceId }),
          };
          const envelope = JSON.parse(recordJson(record));
          expect(envelopeSchema.safeParse(envelope).success).toBe(true);
          const expected = { v: 1, type: 'event', event, payload, ts: 5, room: 'user:1', seq: 1, id, traceId };
          expect(envelope).toEqual(JSON.parse(JSON.stringify(expected)));
          expect(recordMessage(record).frame).toBe(recordMessage(record).frame);
        },
      ),
    );
  });
});

describe('a client frame', () => {
  it('of every type is read, and unknown keys are ignored', () => {
    const frames = [
      { v: 1, type: 'auth', id: '1', payload: { token: 't' } },
      { v: 1, type: 'subscribe', id: '1', payload: { room: 'guild:1', since: { epoch: 'e', seq: 0 } } },
      { v: 1, type: 'unsubscribe', id: '1', payload: { room: 'guild:1' } },
      { v: 1, type: 'command', id: '1', payload: { name: 'n', input: null } },
      { v: 1, type: 'pong', id: '1', payload: { seqs: { 'guild:1': 4 } } },
      { v: 1, type: 'pong', id: '1', payload: {} },
    ];
    for (const frame of frames) {
      expect(parseClientFrame(JSON.stringify({ ...frame, later: 1 }))).toEqual({ kind: 'frame', frame });
    }
  });

  it('cut at any byte is malformed, and anything at all has a name', () => {
    const text = JSON.stringify({ v: 1, type: 'subscribe', id: 'é', payload: { room: 'guild:1' } });
    for (let end = 0; end < text.length; end += 1) {
      expect(parseClientFrame(text.slice(0, end))).toEqual({ kind: 'malformed' });
    }
    const kinds = ['frame', 'unknown', 'invalid', 'malformed'];
    fc.assert(fc.property(fc.string(), (any) => kinds.includes(parseClientFrame(any).kind)));
    const type = fc.constantFrom('auth', 'subscribe', 'unsubscribe', 'command', 'pong', 'x', '__proto__', 'toString');
    const near = fc.record(
      { v: fc.constantFrom(1, 2, '1'), type, id: fc.anything(), payload: fc.anything() },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(near, (value) => {
        const seen = parseClientFrame(
          JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? `${each}` : each)) ?? '',
        );
        expect(kinds).toContain(seen.kind);
        if (seen.kind === 'frame')
          expect(['auth', 'subscribe', 'unsubscribe', 'command', 'pong']).toContain(seen.frame.type);
      }),
    );
  });

  it('nested as deep as a frame allows is no danger', () => {
    const deep = `{"v":1,"type":"command","id":"1","payload":{"name":"n","input":${'['.repeat(30_000)}${']'.repeat(30_000)}}}`;
    expect(parseClientFrame(deep).kind).toBe('frame');
    expect(parseClientFrame('['.repeat(65_000)).kind).toBe('malformed');
  });

  it('names where it is wrong, and not with what', () => {
    const seen = parseClientFrame('{"v":1,"type":"auth","id":"7","payload":{"token":["secret"]}}');
    expect(seen).toEqual({ kind: 'invalid', id: '7', problem: 'payload.token' });
    expect(parseClientFrame('{"v":1,"type":"later","id":"8"}')).toEqual({ kind: 'unknown', id: '8' });
    expect(parseClientFrame(`{"v":1,"type":"later","id":"${'x'.repeat(65)}"}`)).toEqual({
      kind: 'unknown',
      id: undefined,
    });
  });
});

it('a room log gives exactly what followed, for any bounds', () => {
  const op = fc.oneof(
    fc.record({ type: fc.constant('append' as const) }),
    fc.record({ type: fc.constant('wait' as const), ms: fc.nat(30) }),
  );
  fc.assert(
    fc.property(fc.array(op, { maxLength: 300, size: 'max' }), fc.nat(20), fc.nat(50), (list, maxEvents, maxAgeMs) => {
      const log = new RoomLog('user:1', 'e', { maxEvents, maxAgeMs, maxIds: 5 });
      const times: number[] = [];
      let now = 0;
      for (const each of list) {
        if (each.type === 'wait') now += each.ms;
        else {
          times.push(now);
          log.append({ event: 'x', payload: null, id: `${times.length}`, ts: 0 }, 'null', now);
        }
      }
      const last = times.length;
      expect(log.seq).toBe(last);
      const kept = times
        .map((at, n) => ({ at, seq: n + 1 }))
        .slice(-maxEvents || last)
        .filter(({ at }) => at >= now - maxAgeMs);
      const first = kept[0]?.seq ?? last + 1;
      for (let seq = 0; seq <= last + 1; seq += 1) {
        const events = log.after(seq, now)?.map((record) => record.seq);
        const expected =
          seq > last || seq < first - 1 ? undefined : Array.from({ length: last - seq }, (_, n) => seq + n + 1);
        expect(events).toEqual(expected);
      }
      expect(log.size).toBe(kept.length);
      for (let n = 1; n <= last; n += 1) expect(log.seqOf(`${n}`)).toBe(n > last - 5 ? n : undefined);
    }),
  );
});
