/** The pure parts of voice: numbers that wrap, announcements, routes, the fate of packets, datagrams. */
import type { RtcpPacket } from '@guildkit/rtp';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, test } from 'vitest';
import { loadDavey } from '../../src/codec/davey.js';
import { routeRtcp } from '../../src/codec/rtcp-routes.js';
import { DelayQueue } from '../../src/io/delay-queue.js';
import { discoveryAnswer, keepaliveAnswer, readDatagram } from '../../src/protocol/voice/datagram.js';
import { parseVoiceBinary, parseVoiceText } from '../../src/protocol/voice/frames.js';
import { type MediaConditions, MediaLink } from '../../src/protocol/voice/media-faults.js';
import { MessageLog, unwrapAck, wireSeq } from '../../src/protocol/voice/message-log.js';
import { VoiceOp } from '../../src/protocol/voice/opcodes.js';
import { type Participant, VoiceRoom } from '../../src/protocol/voice/room.js';
import { play } from '../../src/voice/playback.js';

describe('numbers', () => {
  test('wrap at 16 bits, and an ack means the newest message of that number', () => {
    expect([1, 65_535, 65_536, 65_537].map(wireSeq)).toEqual([1, 65_535, 0, 1]);
    expect(unwrapAck(10, -1)).toBe(0);
    expect(unwrapAck(10, 10)).toBe(10);
    expect(unwrapAck(10, 3)).toBe(3);
    expect(unwrapAck(10, 11)).toBe(-1);
    expect(unwrapAck(65_540, 2)).toBe(65_538);
    expect(unwrapAck(65_540, 65_535)).toBe(65_535);
    expect(unwrapAck(65_536, 0)).toBe(65_536);
  });

  test('the log is bounded in messages and bytes, and forgets what was seen', () => {
    const log = new MessageLog();
    expect(log.oldest).toBe(1);
    for (let seq = 1; seq <= 5_000; seq += 1) log.push({ seq, data: 'x' });
    expect(log.oldest).toBe(5_000 - 4_096 + 1);
    expect(log.between(4_997, 4_999).map(({ seq }) => seq)).toEqual([4_998, 4_999]);
    log.acknowledge(4_999);
    expect(log.oldest).toBe(5_000);
    log.push({ seq: 5_001, data: new Uint8Array(5 * 1024 * 1024) });
    expect(log.oldest).toBe(5_002);
    expect(log.between(0, 9_999)).toEqual([]);
  });
});

describe('frames', () => {
  test('what a heartbeat may be', () => {
    const kinds = (d: unknown) => parseVoiceText(JSON.stringify({ op: 3, d }));
    expect(kinds({ t: 5, seq_ack: -1 })).toEqual({ kind: 'heartbeat', t: 5, seqAck: -1 });
    expect(kinds({ t: 5 })).toEqual({ kind: 'heartbeat', t: 5, seqAck: undefined });
    expect(kinds(7)).toEqual({ kind: 'heartbeat', t: 7, seqAck: undefined });
    expect(kinds({ t: 5, seq_ack: 65_536 })).toMatchObject({ kind: 'invalid', code: 4020 });
  });

  test('tables are bounded', () => {
    const many = Array.from({ length: 100 }, () => ({ type: 'video', rid: '1', quality: 1 }));
    const identify = { server_id: '1', user_id: '2', session_id: 's', token: 't' };
    expect(parseVoiceText(JSON.stringify({ op: 0, d: { ...identify, streams: many } }))).toMatchObject({ code: 4002 });
    const wants = Object.fromEntries(Array.from({ length: 300 }, (_, ssrc) => [ssrc, 1]));
    expect(parseVoiceText(JSON.stringify({ op: 15, d: wants }))).toMatchObject({ code: 4020 });
    expect(parseVoiceText(JSON.stringify({ op: 15, d: { any: 300, 5: -4, pixelCounts: {} } }))).toMatchObject({
      request: { kind: 'wants', any: 100, bySsrc: new Map([[5, 0]]) },
    });
  });

  test('binary messages', () => {
    expect(parseVoiceBinary(new Uint8Array([26, 1, 2]))).toEqual({
      kind: 'request',
      request: { kind: 'keyPackage', payload: new Uint8Array([1, 2]) },
    });
    expect(parseVoiceBinary(new Uint8Array([28]))).toMatchObject({ code: 4020 });
    expect(parseVoiceBinary(new Uint8Array([29, 1]))).toMatchObject({ code: 4001 });
  });
});

const participant = (userId: string, ssrc: number): Participant => ({
  userId,
  platform: 0,
  seat: { audioSsrc: ssrc, streams: [{ type: 'video', rid: '', quality: 0, ssrc: ssrc + 1, rtxSsrc: ssrc + 2 }] },
});

function roomOf(...userIds: string[]) {
  const room = new VoiceRoom(() => ({ muted: false, deaf: false }));
  for (const [n, userId] of userIds.entries()) room.join(participant(userId, 10 * (n + 1)));
  return room;
}

describe('rooms', () => {
  test('joining again replaces: the others hear of the end, then of the beginning', () => {
    const room = roomOf('a', 'b');
    const ops = room
      .join(participant('b', 90))
      .filter(({ to }) => to === 'a')
      .map(({ message }) => message.op);
    expect(ops).toEqual([VoiceOp.ClientDisconnect, VoiceOp.ClientsConnect, VoiceOp.Flags, VoiceOp.Platform]);
    expect(room.ownerOf(20)).toBeUndefined();
    expect(room.ownerOf(92)).toBe('b');
    expect(room.leave('nobody')).toEqual([]);
    expect(room.speaking('nobody', 1, 0)).toEqual([]);
  });

  test('wants are told once, and taken back when the receiver leaves', () => {
    const room = roomOf('a', 'b', 'c');
    const told = (outputs: ReturnType<VoiceRoom['wants']>) =>
      outputs
        .filter(({ to, message }) => to === 'a' && message.op === VoiceOp.MediaSinkWants)
        .map(({ message }) => 'd' in message && message.d);
    expect(told(room.wants('b', { any: 100, bySsrc: new Map([[11, 0]]) }))).toEqual([]);
    expect(told(room.wants('c', { any: 50, bySsrc: new Map() }))).toEqual([{ any: 100, 11: 50 }]);
    expect(told(room.wants('c', { any: 50, bySsrc: new Map() }))).toEqual([]);
    expect(told(room.leave('c'))).toEqual([{ any: 100, 11: 0 }]);
    expect(told(room.leave('b'))).toEqual([{ any: 100 }]);
    expect(room.route('a', 11)).toEqual({ ok: true, kind: 'video', announced: false, to: [] });
  });

  test('a retransmission is wanted as its stream is', () => {
    const room = roomOf('a', 'b');
    room.wants('b', { any: 100, bySsrc: new Map([[11, 0]]) });
    expect(room.route('a', 12)).toMatchObject({ kind: 'rtx', to: [] });
    expect(room.route('b', 12)).toEqual({ ok: false, reason: 'spoofedSsrc' });
    expect(room.route('a', 99)).toEqual({ ok: false, reason: 'spoofedSsrc' });
  });

  test('RTCP: unknown types and sources that are gone go nowhere', () => {
    const room = roomOf('a', 'b');
    const packets: RtcpPacket[] = [
      { type: 'unknown', packetType: 207, count: 0, body: new Uint8Array(4) },
      { type: 'transportFeedback', senderSsrc: 10, mediaSsrc: 21, data: new Uint8Array(4) },
      { type: 'goodbye', ssrcs: [10, 20] },
      { type: 'receiverReport', ssrc: 10, reports: [] },
    ];
    const { byUser, spoofed, aimless } = routeRtcp(room, 'a', packets);
    expect([...byUser]).toEqual([['b', [packets[1]]]]);
    expect([spoofed, aimless]).toEqual([1, 1]);
  });
});

const CLEAR: MediaConditions = {
  loss: 0,
  burst: 1,
  delayMs: 0,
  jitterMs: 0,
  reorder: 0,
  reorderMs: 30,
  duplicate: 0,
  bandwidthBps: undefined,
  queueMs: 200,
  blackout: false,
};
const fates = (conditions: Partial<MediaConditions>, count: number, seed = 1, everyMs = 20, bytes = 100) => {
  const link = new MediaLink({ ...CLEAR, ...conditions }, seed);
  return Array.from({ length: count }, (_, n) => link.send(bytes, n * everyMs));
};

describe('the way', () => {
  test('is the same for the same seed', () => {
    const harsh = { loss: 0.1, burst: 3, delayMs: 20, jitterMs: 60, reorder: 0.1, duplicate: 0.1 };
    expect(fates(harsh, 500)).toEqual(fates(harsh, 500));
    expect(fates(harsh, 500)).not.toEqual(fates(harsh, 500, 2));
  });

  test('loses its share, in bursts when told to', () => {
    const lost = fates({ loss: 0.05 }, 10_000).filter(({ lost: why }) => why === 'loss').length;
    expect(lost).toBeGreaterThan(400);
    expect(lost).toBeLessThan(600);
    const runs = fates({ loss: 0.02, burst: 4 }, 2_000)
      .map(({ lost: why }) => (why === undefined ? '.' : 'x'))
      .join('')
      .split(/\.+/)
      .filter(Boolean);
    expect(runs.slice(0, -1).every((run) => run.length % 4 === 0)).toBe(true);
  });

  test('jitter keeps the order, reordering does not', () => {
    const times = fates({ delayMs: 10, jitterMs: 100 }, 500).flatMap((fate) =>
      fate.lost === undefined ? fate.at : [],
    );
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(Math.max(...times.map((at, n) => at - n * 20))).toBeGreaterThan(60);
    expect(times.every((at, n) => at >= n * 20 + 10)).toBe(true);
    const moved = fates({ reorder: 0.2, reorderMs: 50 }, 500);
    const late = moved.filter((fate) => fate.lost === undefined && fate.reordered).length;
    expect(late).toBeGreaterThan(60);
    expect(late).toBeLessThan(140);
  });

  test('a narrow link queues, then loses', () => {
    // 100 bytes every 10 ms are 80 kbit/s; half of it passes.
    const sent = fates({ bandwidthBps: 40_000, queueMs: 100 }, 200, 1, 10);
    const passed = sent.filter(({ lost }) => lost === undefined).length;
    expect(passed).toBeGreaterThan(95);
    expect(passed).toBeLessThan(112);
    expect(sent[0]).toMatchObject({ at: [20] });
    expect(sent.some(({ lost }) => lost === 'queue')).toBe(true);
  });

  test('one fault does not change the fate of packets under another', () => {
    const lost = (conditions: Partial<MediaConditions>) => fates(conditions, 300).map(({ lost: why }) => why);
    expect(lost({ loss: 0.1 })).toEqual(lost({ loss: 0.1, jitterMs: 50, duplicate: 0.5, reorder: 0.5 }));
  });
});

test('the queue does things in order, each at its time, and not too many', async () => {
  const clock = createVirtualClock();
  const queue = new DelayQueue(clock);
  const done: string[] = [];
  queue.push(20, () => done.push('20'));
  queue.push(10, () => done.push('10'));
  queue.push(10, () => done.push('10 again'));
  expect(clock.pending).toBe(1);
  await clock.advance(10);
  expect(done).toEqual(['10', '10 again']);
  await clock.advance(10);
  expect(done).toHaveLength(3);
  expect(clock.pending).toBe(0);
  let taken = 0;
  while (queue.push(100, () => {})) taken += 1;
  expect(taken).toBe(16_384);
  queue.clear();
  expect(clock.pending).toBe(0);
});

test('datagrams', () => {
  const answer = discoveryAnswer(0xdeadbeef, '127.0.0.1', 4_711);
  expect(Buffer.from(answer.subarray(0, 20)).toString('hex')).toBe('00020046deadbeef3132372e302e302e31000000');
  expect(Buffer.from(answer.subarray(70)).toString('hex')).toBe('00001267');
  expect(discoveryAnswer(1, 'x'.repeat(100), 1)[71]).toBe(0);
  expect(Buffer.from(keepaliveAnswer(5)).toString('hex')).toBe('1337f00d00000005');
  const request = answer.slice();
  request[1] = 1;
  expect(readDatagram(request)).toEqual({ kind: 'discovery', ssrc: 0xdeadbeef });
  expect(readDatagram(answer).kind).toBe('unknown');
  for (const length of [0, 1, 7, 9, 73]) expect(readDatagram(new Uint8Array(length)).kind).toBe('unknown');
  expect(readDatagram(new Uint8Array(8)).kind).toBe('ping');
});

test('playing keeps the pace without drift, and begins anew when it is far behind', async () => {
  const clock = createVirtualClock();
  const at: number[] = [];
  const frames = Array.from({ length: 12 }, (_, n) => new Uint8Array([n]));
  const playback = play({
    clock,
    frames,
    intervalMs: 20,
    send: (frame) => {
      at.push(clock.now());
      if (frame[0] === 3) clock.advanceSync(1_000);
    },
    onEnd: () => at.push(-1),
  });
  await clock.advance(5_000);
  await playback.finished;
  expect(at).toEqual([0, 20, 40, 60, 1_060, 1_080, 1_100, 1_120, 1_140, 1_160, 1_180, 1_200, -1]);
});

test('davey of either module form, or none', async () => {
  class DAVESession {}
  expect((await loadDavey(async () => ({ default: { DAVESession } })))(1, '1', '2')).toBeInstanceOf(DAVESession);
  expect((await loadDavey(async () => ({ DAVESession })))(1, '1', '2')).toBeInstanceOf(DAVESession);
  await expect(loadDavey(async () => ({}))).rejects.toThrow(TypeError);
});
