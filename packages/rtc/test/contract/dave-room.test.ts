/** DAVE clients against the sandbox's delivery service, through everything a channel goes through. */
import { describe, expect, it } from 'vitest';
import { loadDaveLibrary, RtcError } from '../support/dave-imports.js';
import { DaveRoom, type Leg, type Member, userId } from '../support/dave-room.js';

const library = await loadDaveLibrary();

const problems = ({ events }: Member) => events.filter(({ type }) => type === 'problem');
const activities = ({ events }: Member) => events.flatMap((event) => (event.type === 'activity' ? [event.to] : []));

/** A channel of so many, all in one group. */
function roomOf(size: number, options: ConstructorParameters<typeof DaveRoom>[1] = {}) {
  const room = new DaveRoom(library, options);
  const members = Array.from({ length: size }, (_, n) => room.join(n + 1));
  room.run(1_000);
  expect(room.wrong()).toBeUndefined();
  return { room, members };
}

describe('joining and leaving', () => {
  it('makes a group of two, grows, shrinks, and starts anew with who is left alone', () => {
    const room = new DaveRoom(library);
    const a = room.join(1);
    a.speaks = true;
    room.run(500);
    expect(a.client.activity).toBe('waiting');
    const b = room.join(2);
    room.run(500);
    expect(room.wrong()).toBeUndefined();
    const c = room.join(3);
    room.run(500);
    expect(room.wrong()).toBeUndefined();
    room.leave(b);
    room.run(500);
    expect(room.wrong()).toBeUndefined();
    room.leave(c);
    room.run(500);
    expect(a.client.activity).toBe('waiting');
    expect(a.client.epochCode).toBeUndefined();
    const d = room.join(4);
    room.run(500);
    expect(room.wrong()).toBeUndefined();
    expect(problems(a)).toEqual([]);
    expect(d.from(a)).toMatchObject({ wrong: 0, lost: {} });
    expect(c.from(a)).toMatchObject({ wrong: 0, lost: {} });
    expect(activities(a)).toEqual(['waiting', 'active', 'waiting', 'active']);
  });

  it('tells of each epoch with the code that all have and the members of it', () => {
    const { room, members } = roomOf(3);
    const last = (member: Member) => member.events.findLast(({ type }) => type === 'epoch');
    const [a, b] = members as [Member, Member];
    expect(last(a)).toMatchObject({ epochCode: expect.stringMatching(/^\d{30}$/), epoch: room.service.view.epoch });
    expect(last(a)).toMatchObject({
      epochCode: a.client.epochCode,
      userIds: expect.arrayContaining([userId(1), userId(3)]),
    });
    expect(b.client.epochCode).toBe(a.client.epochCode);
    const before = a.client.epochCode;
    room.leave(members[2] as Member);
    room.run(500);
    expect(a.client.epochCode).not.toBe(before);
  });

  it('gives pairs the same verification code, also after a recovery, and none before', async () => {
    const { room, members } = roomOf(3);
    const [a, b, c] = members as [Member, Member, Member];
    const code = await a.client.verificationCode(b.id);
    expect(code).toMatch(/^\d{45}$/);
    expect(await b.client.verificationCode(a.id)).toBe(code);
    expect(await c.client.verificationCode(a.id)).not.toBe(code);
    b.take({ type: 'binary', op: 29, payload: Uint8Array.of(0, 9, 1, 2, 3) });
    room.run(1_000);
    expect(room.wrong()).toBeUndefined();
    expect(await b.client.verificationCode(a.id)).toBe(code);
    const alone = new DaveRoom(library).join(1);
    await expect(alone.client.verificationCode(b.id)).rejects.toSatisfy(
      (error) => RtcError.is(error) && error.code === 'ERR_RTC_DAVE_INACTIVE',
    );
  });

  it('brings 25 in at once, and half of them out at once', () => {
    const { room, members } = roomOf(25);
    // Two rounds: the first two or three key packages do not wait for the rest.
    expect(room.service.counters.commits).toBeLessThanOrEqual(3);
    for (const member of members.slice(0, 12)) room.leave(member);
    room.run(1_000);
    expect(room.wrong()).toBeUndefined();
    const late = room.join(40);
    room.run(500);
    expect(room.wrong()).toBeUndefined();
    expect(problems(late)).toEqual([]);
  });
});

describe('commits', () => {
  it('lets the first of those that race win, and nobody loses more than the wait for its own', () => {
    const room = new DaveRoom(library);
    const members = [5, 40, 90, 10].map((signalling, n) => room.join(n + 1, { latency: { signalling, media: 20 } }));
    room.run(1_000);
    expect(room.wrong()).toBeUndefined();
    for (const member of members) member.speaks = true;
    room.run(500);
    const newcomer = room.join(9, { latency: { signalling: 60, media: 20 } });
    room.run(1_000);
    expect(room.wrong()).toBeUndefined();
    expect(room.service.counters.refused.wrongEpoch).toBeGreaterThanOrEqual(3);
    for (const member of members) expect(problems(member)).toEqual([]);
    expect(problems(newcomer)).toEqual([]);
    for (const to of members) {
      for (const from of members) if (to !== from) expect(to.from(from)).toMatchObject({ wrong: 0, lost: {} });
    }
  });

  it('does not stop where the only one who could be first commits nothing', () => {
    const { room, members } = roomOf(3);
    const [mute] = members as [Member];
    room.drops = (member, leg) => member === mute && leg.to === 'service' && leg.input.type === 'commitWelcome';
    room.join(4);
    room.run(500);
    expect(room.wrong()).toBeUndefined();
  });

  it('makes the group anew when nobody commits in time', () => {
    const { room } = roomOf(3);
    let lost = 0;
    room.drops = (_, leg) => leg.to === 'service' && leg.input.type === 'commitWelcome' && ++lost <= 3;
    room.join(4);
    room.run(500);
    expect(lost).toBe(3);
    room.run(6_000);
    expect(room.service.counters).toMatchObject({ commitTimeouts: 1, resets: 1 });
    expect(room.wrong()).toBeUndefined();
  });
});

describe('what is lost', () => {
  const isOp = (leg: Leg, ...ops: number[]) => leg.to === 'member' && ops.includes(leg.message.op);

  /** Loses the next message of that kind for one member. */
  function loseOnce(room: DaveRoom, member: Member, matches: (leg: Leg) => boolean): () => number {
    let lost = 0;
    room.drops = (to, leg) => to === member && matches(leg) && ++lost === 1;
    return () => lost;
  }

  it('a commit (op 29): the next proposals show it, and the member comes back', () => {
    const { room, members } = roomOf(3);
    const [a, b] = members as [Member, Member];
    const lost = loseOnce(room, b, (leg) => isOp(leg, 29));
    room.join(4);
    room.run(2_500);
    expect(lost()).toBe(1);
    expect(room.wrong()).toMatch(/epochs/);
    room.join(5);
    room.run(1_000);
    expect(room.wrong()).toBeUndefined();
    expect(b.client.stats.recoveries).toBe(1);
    expect(a.client.stats.recoveries).toBe(0);
  });

  it('a commit (op 29) without anything after it: silence shows it', () => {
    const { room, members } = roomOf(3);
    const [a, b] = members as [Member, Member];
    const lost = loseOnce(room, b, (leg) => isOp(leg, 29));
    room.join(4);
    a.speaks = true;
    room.run(12_000);
    expect(lost()).toBe(1);
    expect(room.wrong()).toBeUndefined();
    expect(b.client.stats.recoveries).toBe(1);
  });

  it('a welcome (op 30): the newcomer asks again', () => {
    const { room, members } = roomOf(3);
    const [a] = members as [Member];
    a.speaks = true;
    let lost = 0;
    room.drops = (_, leg) => {
      const isFirst = isOp(leg, 30) && lost === 0;
      if (isFirst) lost += 1;
      return isFirst;
    };
    const d = room.join(4);
    room.run(12_000);
    expect(lost).toBe(1);
    expect(room.wrong()).toBeUndefined();
    expect(d.client.stats.recoveries).toBe(1);
  });

  it('proposals (op 27): the others commit', () => {
    const { room, members } = roomOf(3);
    const [, b] = members as [Member, Member];
    loseOnce(room, b, (leg) => isOp(leg, 27));
    room.join(4);
    room.run(1_000);
    // Without the proposals the commit cannot be processed: it is flagged, and the member joins anew.
    expect(room.wrong()).toBeUndefined();
    expect(b.client.stats.recoveries).toBe(1);
  });

  it('op 22: encryption is not held up, and op 23: neither', () => {
    const { room, members } = roomOf(3);
    const [, b] = members as [Member, Member];
    loseOnce(room, b, (leg) => isOp(leg, 22));
    room.join(4);
    room.run(500);
    expect(room.wrong()).toBeUndefined();
    loseOnce(room, b, (leg) => leg.to === 'service' && leg.input.type === 'transitionReady');
    room.join(5);
    room.run(3_000);
    expect(room.wrong()).toBeUndefined();
    expect(room.service.counters.transitionTimeouts).toBe(1);
    expect(room.service.view.transitions).toEqual([]);
  });

  it('op 31 and the key package behind it: they are sent again', () => {
    const { room, members } = roomOf(3);
    const [, b] = members as [Member, Member];
    room.drops = (member, leg) => member === b && leg.to === 'service';
    b.take({ type: 'binary', op: 29, payload: Uint8Array.of(0, 9, 1, 2, 3) });
    room.run(100);
    room.drops = () => false;
    expect(b.client.activity).toBe('recovering');
    room.run(12_000);
    expect(room.wrong()).toBeUndefined();
    expect(b.client.stats.recoveries).toBe(2);
  });
});

describe('a cut connection', () => {
  it('that is resumed: nobody waited, and the member is where the others are', () => {
    const { room, members } = roomOf(3);
    const [a, b] = members as [Member, Member];
    room.cut(b);
    const d = room.join(4);
    room.run(1_000);
    expect(d.client.activity).toBe('active');
    expect(room.service.counters.transitionTimeouts).toBe(0);
    room.leave(members[2] as Member);
    room.run(3_000);
    expect(d.client.epochCode).toBe(a.client.epochCode);
    expect(b.client.epochCode).not.toBe(a.client.epochCode);
    room.resume(b);
    room.run(500);
    expect(room.wrong()).toBeUndefined();
    expect(b.client.stats.recoveries).toBe(0);
  });

  it('while a group is flagged: what was said into it is said again', () => {
    const { room, members } = roomOf(3);
    const [, b] = members as [Member, Member];
    room.cut(b);
    b.take({ type: 'binary', op: 29, payload: Uint8Array.of(0, 9, 1, 2, 3) });
    room.join(4);
    room.run(2_000);
    room.resume(b);
    room.run(1_000);
    expect(room.wrong()).toBeUndefined();
  });
});

describe('recovery', () => {
  it('after a commit that cannot be processed: one round brings the member back, its frames go on', () => {
    const { room, members } = roomOf(4);
    const [a, b] = members as [Member, Member];
    for (const member of members) member.speaks = true;
    room.run(300);
    b.take({ type: 'binary', op: 29, payload: Uint8Array.of(0, 77, 0, 1, 0, 1, 9) });
    expect(activities(b).at(-1)).toBe('recovering');
    expect(b.client.encrypt('audio', 'opus', Buffer.alloc(40, 1))).toMatchObject({ ok: true, encrypted: true });
    room.run(1_000);
    expect(room.wrong()).toBeUndefined();
    expect(activities(b)).toEqual(['waiting', 'active', 'recovering', 'active']);
    expect(room.service.counters.recoveries).toBe(1);
    // The old keys carried it: the others knew them, too.
    expect(b.notSent).toBe(0);
    expect(a.from(b)).toMatchObject({ wrong: 0, lost: {} });
    expect(b.from(a)).toMatchObject({ wrong: 0, lost: {} });
  });

  it('of two out of two', () => {
    const { room, members } = roomOf(2);
    for (const member of members) member.take({ type: 'binary', op: 29, payload: Uint8Array.of(0, 77, 0, 1, 0, 1, 9) });
    room.run(1_000);
    expect(room.wrong()).toBeUndefined();
  });

  it('never sends a readable frame to a channel whose group it was in', () => {
    const { room, members } = roomOf(3);
    const [, b] = members as [Member, Member];
    room.drops = (member) => member === b;
    b.take({ type: 'binary', op: 29, payload: Uint8Array.of(0, 77, 0, 1, 0, 1, 9) });
    for (let second = 0; second < 12; second += 1) {
      const sealed = b.client.encrypt('audio', 'opus', Buffer.alloc(40, 1));
      expect(sealed.ok ? sealed.encrypted : sealed.reason).toBe(second < 10 ? true : 'recovering');
      room.run(1_000);
    }
  });
});

describe('before the welcome', () => {
  it('nothing but silence goes out: not alone, not while being added to a group', () => {
    const room = new DaveRoom(library);
    const a = room.join(1);
    room.run(500);
    const speech = Buffer.alloc(40, 1);
    expect(a.client.activity).toBe('waiting');
    expect(a.client.encrypt('audio', 'opus', speech)).toEqual({ ok: false, reason: 'waiting' });
    expect(a.client.encrypt('audio', 'opus', Buffer.from([0xf8, 0xff, 0xfe]))).toMatchObject({ ok: true });
    const b = room.join(2);
    room.run(500);
    a.speaks = true;
    b.speaks = true;
    const c = room.join(3);
    // Until the session description nothing is known of DAVE, and there is no connection to send on.
    while (c.client.activity === 'off') room.run(1);
    c.speaks = true;
    expect(c.client.encrypt('audio', 'opus', speech)).toEqual({ ok: false, reason: 'waiting' });
    room.run(1_000);
    expect(room.wrong()).toBeUndefined();
    expect(c.notSent).toBeGreaterThan(0);
    for (const to of [a, b]) {
      expect(to.from(c)).toMatchObject({ wrong: 0, readable: 0, lost: {} });
      expect(to.from(c).encrypted + to.from(c).late).toBeGreaterThan(20);
    }
  });
});

describe('members without DAVE', () => {
  it('turn it off for all, and on again when they leave; nothing is lost either way', () => {
    const { room, members } = roomOf(3, { policy: 'prefer' });
    const [a, b] = members as [Member, Member];
    a.speaks = true;
    room.run(300);
    const old = room.join(9, { maxVersion: 0 });
    room.run(500);
    expect(a.client.activity).toBe('off');
    expect(room.service.counters.downgrades).toBe(1);
    room.run(300);
    const heardByOld = old.from(a).readable;
    expect(heardByOld).toBeGreaterThan(10);
    room.leave(old);
    room.run(1_000);
    expect(room.wrong()).toBeUndefined();
    expect(activities(a)).toEqual(['waiting', 'active', 'off', 'active']);
    expect(b.from(a)).toMatchObject({ wrong: 0, lost: {} });
    expect(b.from(a).readable).toBeGreaterThan(10);
  });

  it('who joins in the meantime is in the group afterwards', () => {
    const { room } = roomOf(2, { policy: 'prefer' });
    const old = room.join(9, { maxVersion: 0 });
    room.run(500);
    const c = room.join(3);
    room.run(500);
    expect(c.client.activity).toBe('off');
    room.leave(old);
    room.run(1_000);
    expect(room.wrong()).toBeUndefined();
    expect(problems(c)).toEqual([]);
  });

  it('that leave before the downgrade was carried out', () => {
    const { room } = roomOf(3, { policy: 'prefer' });
    const old = room.join(9, { maxVersion: 0 });
    room.run(10);
    room.leave(old);
    room.run(1_000);
    expect(room.wrong()).toBeUndefined();
  });

  it('are refused where it is required', () => {
    const room = new DaveRoom(library);
    expect(room.service.admit(0)).toMatchObject({ ok: false, code: 4017 });
    expect(room.service.admit(1)).toEqual({ ok: true });
  });
});

describe('frames', () => {
  const annexB = (...units: number[][]) => Buffer.from(units.flatMap((unit) => [0, 0, 0, 1, ...unit]));
  const FRAMES = {
    opus: ['audio', Buffer.from([0x78, ...Array(90).fill(0x5a)])],
    vp8: ['video', Buffer.from([0x50, 0x01, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01, ...Array(2_000).fill(7)])],
    vp9: ['video', Buffer.alloc(1_500, 0x83)],
    h264: ['video', annexB([0x67, 0x42, 0, 0x1e, 9], [0x68, 0xce, 0x3c, 0x80], [0x65, 0x88, ...Array(900).fill(0x77)])],
  } as const;

  it.each(Object.entries(FRAMES))('of %s come out as they went in, for everyone', (codec, [kind, frame]) => {
    const { room, members } = roomOf(3);
    const [a, b, c] = members as [Member, Member, Member];
    const sealed = a.client.encrypt(kind, codec as keyof typeof FRAMES, frame);
    if (!sealed.ok) throw new Error(sealed.reason);
    for (const to of [b, c]) {
      const opened = to.client.decrypt(a.id, kind, sealed.data, room.now);
      expect(opened).toMatchObject({ ok: true, encrypted: true });
      if (opened.ok) expect(Buffer.compare(opened.data, frame)).toBe(0);
    }
  });

  it('are opened once, by members only, unchanged, and silence is let through', () => {
    const { room, members } = roomOf(3);
    const [a, b, c] = members as [Member, Member, Member];
    const sealed = a.client.encrypt('audio', 'opus', FRAMES.opus[1]);
    if (!sealed.ok) throw new Error(sealed.reason);
    expect(b.client.decrypt(a.id, 'audio', sealed.data, room.now)).toMatchObject({ ok: true });
    expect(b.client.decrypt(a.id, 'audio', sealed.data, room.now)).toEqual({ ok: false, reason: 'failed' });
    expect(c.client.decrypt(b.id, 'audio', sealed.data, room.now)).toEqual({ ok: false, reason: 'failed' });
    expect(c.client.decrypt(userId(99), 'audio', sealed.data, room.now)).toEqual({ ok: false, reason: 'pending' });
    const changed = Uint8Array.from(sealed.data);
    changed[5] = (changed[5] ?? 0) ^ 1;
    expect(c.client.decrypt(a.id, 'audio', changed, room.now)).toEqual({ ok: false, reason: 'failed' });
    const silence = Uint8Array.of(0xf8, 0xff, 0xfe);
    expect(a.client.encrypt('audio', 'opus', silence)).toEqual({ ok: true, data: silence, encrypted: false });
    room.run(11_000);
    expect(c.client.decrypt(a.id, 'audio', silence, room.now)).toEqual({ ok: true, data: silence, encrypted: false });
    expect(c.client.decrypt(a.id, 'audio', FRAMES.opus[1], room.now)).toEqual({ ok: false, reason: 'unencrypted' });
  });

  it('of the epoch before are opened after the transition; readable ones for ten seconds after encryption began', () => {
    const { room, members } = roomOf(2);
    const [a, b] = members as [Member, Member];
    const readable = Buffer.from([0x78, 1, 2, 3]);
    expect(b.client.decrypt(a.id, 'audio', readable, room.now)).toMatchObject({ ok: true, encrypted: false });
    const sealed = a.client.encrypt('audio', 'opus', FRAMES.opus[1]);
    if (!sealed.ok) throw new Error(sealed.reason);
    room.join(3);
    room.run(1_000);
    expect(b.client.decrypt(a.id, 'audio', sealed.data, room.now)).toMatchObject({ ok: true, encrypted: true });
    room.run(10_000);
    expect(b.client.decrypt(a.id, 'audio', readable, room.now)).toEqual({ ok: false, reason: 'unencrypted' });
  });
});
