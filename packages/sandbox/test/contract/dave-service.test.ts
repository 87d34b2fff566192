/** The delivery service against the client library that others use: groups come about, and hostile members break none. */
import { describe, expect, it } from 'vitest';
import { parseCommit, parseWelcome, type Welcome } from '../../src/protocol/dave/commit.js';
import { parseKeyPackage } from '../../src/protocol/dave/key-package.js';
import { createDaveService } from '../../src/voice/dave-service.js';
import type { DaveServiceInput } from '../../src/voice/dave-service-types.js';
import { CHANNEL, DaveRoom, type Member, userId } from '../support/dave-room.js';

/** A channel of so many in one group. */
function roomOf(size: number, options: ConstructorParameters<typeof DaveRoom>[0] = {}) {
  const room = new DaveRoom(options);
  const members = Array.from({ length: size }, (_, n) => room.join(n + 1));
  expect(room.wrong()).toBeUndefined();
  return { room, members: members as [Member, Member, ...Member[]] };
}

const ops = (room: DaveRoom, member: Member) =>
  room.sent.filter(({ userId: to }) => to === member.id).map(({ message }) => message.op);

describe('joining and leaving', () => {
  it('makes a group of two, then three, removes and fills the blank leaf', () => {
    const room = new DaveRoom();
    const a = room.join(1);
    const b = room.join(2);
    expect(room.wrong()).toBeUndefined();
    const c = room.join(3);
    expect(room.wrong()).toBeUndefined();
    expect(room.service.view.epoch).toBe(2n);
    const leafOfB = b.session?.ownLeafIndex ?? -1;
    room.leave(b);
    expect(room.wrong()).toBeUndefined();
    const d = room.join(4);
    expect(room.wrong()).toBeUndefined();
    expect(d.session?.ownLeafIndex).toBe(leafOfB);
    expect([a, c, d].flatMap(({ failures }) => failures)).toEqual([]);
  });

  it('batches adds and removes into one commit, removes first', () => {
    const { room, members } = roomOf(4);
    const epoch = room.service.view.epoch;
    for (const member of members.slice(1, 3)) {
      room.members.delete(member.id);
      room.give({ type: 'left', userId: member.id });
    }
    room.enter(5);
    room.enter(6);
    room.enter(7);
    room.settle();
    expect(room.wrong()).toBeUndefined();
    expect(room.service.view.epoch).toBe(epoch + 1n);
    expect(new Set(room.service.view.leaves.slice(0, 4))).toEqual(
      new Set([userId(1), userId(4), userId(5), userId(6)]),
    );
  });

  it('tells a sole member to begin anew, at once', () => {
    const { room, members } = roomOf(2);
    const [a, b] = members;
    room.sent.length = 0;
    room.members.delete(b.id);
    room.give({ type: 'left', userId: b.id });
    expect(room.sent.map(({ message }) => message)).toEqual([
      { kind: 'json', op: 24, d: { protocol_version: 1, epoch: 1 } },
      { kind: 'json', op: 21, d: { protocol_version: 1, transition_id: 0 } },
    ]);
    room.settle();
    expect(room.service.view).toMatchObject({ established: false, epoch: 0n, leaves: [], pending: [a.id] });
    room.join(3);
    expect(room.wrong()).toBeUndefined();
  });

  it('never sends a member its own Add', () => {
    const room = new DaveRoom();
    for (let n = 1; n <= 6; n += 1) room.join(n);
    for (const { userId: to, message } of room.sent) {
      if (message.op !== 27) continue;
      const own = Buffer.from(BigInt(to).toString(16).padStart(16, '0'), 'hex');
      // The identity in the leaf node of an Add.
      expect(Buffer.from(message.payload).includes(own)).toBe(false);
    }
  });

  it('revokes what was proposed for someone who leaves, and proposes the others anew', () => {
    const { room, members } = roomOf(3);
    for (const member of members) member.commits = false;
    const d = room.enter(4);
    const e = room.enter(5);
    room.settle();
    expect(room.service.view.pending).toEqual([d.id, e.id]);
    for (const member of members) member.commits = true;
    room.leave(d);
    expect(room.service.counters.revocations).toBe(2);
    expect(room.wrong()).toBeUndefined();
    expect(members.flatMap(({ failures }) => failures)).toEqual([]);
  });

  it('brings in 25 at once, and sends each welcome to the one it is for', () => {
    const room = new DaveRoom();
    for (let n = 1; n <= 25; n += 1) room.enter(n);
    room.settle();
    expect(room.wrong()).toBeUndefined();
    expect(room.service.view.epoch).toBe(1n);
    const welcomes = room.sent.filter(({ message }) => message.op === 30);
    expect(new Set(welcomes.map(({ userId: to }) => to)).size).toBe(24);
    for (const { message } of welcomes) {
      const parsed = message.kind === 'binary' ? parseWelcome(message.payload.subarray(2)) : undefined;
      expect(parsed?.ok === true && parsed.value.secrets.length).toBe(1);
    }
  });

  it('takes who joins again in place of who was there', () => {
    const { room, members } = roomOf(3);
    room.members.delete(members[1].id);
    room.enter(2);
    room.settle();
    expect(room.wrong()).toBeUndefined();
    expect(room.service.view.members).toHaveLength(3);
  });
});

describe('transitions', () => {
  it('wait for everyone, for a detached member never, and for the slow until the timeout', () => {
    const { room, members } = roomOf(3);
    const [a, b, c] = members as unknown as [Member, Member, Member];
    for (const member of members) member.executed.length = 0;
    c.acknowledges = false;
    room.join(4);
    expect(room.service.view.transitions).toHaveLength(1);
    expect(a.executed).toEqual([]);
    room.pass(2_000);
    expect(a.executed).toHaveLength(1);
    expect(room.service.counters.transitionTimeouts).toBe(1);
    room.give({ type: 'detached', userId: c.id });
    room.join(5);
    expect(a.executed).toHaveLength(2);
    expect(b.executed).toEqual(a.executed);
    // What came meanwhile was kept for the replay: it hears all of it.
    expect(c.executed).toEqual(a.executed);
    room.give({ type: 'resumed', userId: c.id });
    c.acknowledges = true;
    room.join(6);
    expect(room.wrong()).toBeUndefined();
    expect(room.service.counters.transitionTimeouts).toBe(1);
  });

  it('need no word of anyone for a first group', () => {
    const { room, members } = roomOf(2);
    expect(room.service.counters.transitions).toBe(0);
    expect(members.map(({ executed }) => executed)).toEqual([[], []]);
    expect(ops(room, members[0])).not.toContain(22);
  });

  it('turn DAVE off and on with who cannot, and refuse where it is required', () => {
    const { room, members } = roomOf(2, { policy: 'prefer' });
    const [a, b] = members;
    const old = room.join(8, 0);
    expect(room.service.view.protocolVersion).toBe(0);
    expect(ops(room, old)).toEqual([]);
    expect([a.executed, b.executed]).toEqual([[1], [1]]);
    const c = room.join(3);
    expect(c.version).toBe(0);
    room.leave(old);
    expect(room.wrong()).toBeUndefined();
    // The external sender comes after op 24: before it that client has no session.
    expect(ops(room, c).slice(0, 2)).toEqual([24, 25]);
    expect(room.service.counters).toMatchObject({ downgrades: 1, upgrades: 1 });
    expect(createDaveService({ channelId: CHANNEL }).admit(0)).toMatchObject({ ok: false, code: 4017 });
    expect(createDaveService({ channelId: CHANNEL, policy: 'off' }).versionFor(1)).toBe(0);
  });
});

describe('recovery', () => {
  it('removes and adds the member that flags, in one commit', () => {
    const { room, members } = roomOf(4);
    const epoch = room.service.view.epoch;
    const [, b] = members;
    b.hear({ kind: 'binary', op: 29, payload: Uint8Array.of(0, 5, 1, 2, 3) });
    room.settle();
    expect(room.wrong()).toBeUndefined();
    expect(room.service.view.epoch).toBe(epoch + 1n);
    expect(room.service.counters.recoveries).toBe(1);
  });

  it('does not keep everyone busy with a client that flags whatever it is told, and has it back when it is well', () => {
    const { room, members } = roomOf(3);
    const [, b] = members;
    b.broken = true;
    room.join(4);
    const before = room.service.view.epoch;
    for (let second = 0; second < 60; second += 1) {
      room.pass(1_000);
      // As clients do that hear nothing for ten seconds.
      if (second % 10 === 9) b.hear({ kind: 'binary', op: 29, payload: Uint8Array.of(0, 5, 1, 2, 3) });
    }
    // With a new epoch for each welcome it would be thousands.
    expect(Number(room.service.view.epoch - before)).toBeLessThan(40);
    b.broken = false;
    room.pass(20_000);
    expect(room.wrong()).toBeUndefined();
  });

  it('makes the group anew when a commit fails everyone, and takes no commit of its author', () => {
    const { room, members } = roomOf(3);
    const [a, b, c] = members as unknown as [Member, Member, Member];
    b.commits = false;
    c.commits = false;
    room.enter(4);
    // The commit of `a`, but for its signature: whoever is in the group sees that, the voice gateway cannot.
    let spoiled = 0;
    spoil(room, a, (payload) => {
      const commit = parseCommit(payload);
      if (!commit.ok) throw new Error(commit.reason);
      const changed = Buffer.from(payload);
      const at = commit.value.raw.length - 40;
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      spoiled += 1;
      return changed;
    });
    room.settle();
    expect(spoiled).toBeGreaterThan(0);
    expect(room.service.counters.resets).toBe(1);
    b.commits = true;
    c.commits = true;
    room.pass(10_000);
    expect(room.wrong()).toBeUndefined();
    expect(room.service.counters.refused.barred).toBeGreaterThan(0);
  });
});

/** Changes what a member sends in op 28. */
function spoil(room: DaveRoom, member: Member, change: (payload: Uint8Array) => Uint8Array): void {
  const give = room.give.bind(room);
  room.give = (input: DaveServiceInput) => {
    const isTheirs = input.type === 'commitWelcome' && input.userId === member.id;
    give(isTheirs ? { ...input, payload: change(input.payload) } : input);
  };
}

describe('what is said again after a resume', () => {
  it('a key package that waits, or is used up: nothing happens', () => {
    const room = new DaveRoom();
    const sent: DaveServiceInput[] = [];
    const give = room.give.bind(room);
    room.give = (input) => {
      if (input.type === 'keyPackage' || input.type === 'commitWelcome') sent.push(input);
      give(input);
    };
    room.enter(1);
    room.deliver();
    for (const input of sent.slice()) give(input);
    room.join(2);
    room.join(3);
    expect(room.wrong()).toBeUndefined();
    const { epoch } = room.service.view;
    for (const input of sent.slice()) give(input);
    room.settle();
    expect(room.service.view.epoch).toBe(epoch);
    expect(room.service.counters.keyPackages).toBe(3);
    expect(room.wrong()).toBeUndefined();
  });

  it('a flag that was worked off: the member is asked for another key package, and is back', () => {
    const { room, members } = roomOf(3);
    const [, b] = members;
    const said: DaveServiceInput[] = [];
    const give = room.give.bind(room);
    room.give = (input) => {
      if (input.type === 'keyPackage' || input.type === 'invalidCommitWelcome') said.push(input);
      give(input);
    };
    b.hear({ kind: 'binary', op: 29, payload: Uint8Array.of(0, 5, 1, 2, 3) });
    room.settle();
    expect(room.wrong()).toBeUndefined();
    expect(said.map(({ type }) => type)).toEqual(['invalidCommitWelcome', 'keyPackage']);
    for (const input of said.slice()) give(input);
    room.settle();
    expect(room.wrong()).toBeUndefined();
  });
});

describe('commits that are not the one', () => {
  /** A group of three with a fourth proposed, and the commits of the three caught. */
  function proposed() {
    const { room, members } = roomOf(3);
    const d = room.enter(4);
    const give = room.give.bind(room);
    const commits: { userId: string; payload: Uint8Array }[] = [];
    room.give = (input) => {
      if (input.type === 'commitWelcome') commits.push(input);
      else give(input);
    };
    room.settle();
    room.give = give;
    expect(commits).toHaveLength(3);
    const [first, second] = commits as [(typeof commits)[0], (typeof commits)[0]];
    const refused = (payload: Uint8Array, from = first.userId) => {
      const before = room.service.counters.refused;
      room.give({ type: 'commitWelcome', userId: from, payload });
      expect(room.service.view.epoch).toBe(2n);
      const after = room.service.counters.refused;
      return (Object.keys(after) as (keyof typeof after)[]).filter((reason) => after[reason] > before[reason]);
    };
    return { room, members, d, first, second, refused };
  }

  const at = (payload: Uint8Array, offset: number, byte: number) => {
    const changed = Uint8Array.from(payload);
    changed[offset] = byte;
    return changed;
  };
  /** version 2, wire format 2, vector of the group id 1 + 8. */
  const EPOCH_AT = 13;
  const SENDER_AT = EPOCH_AT + 8 + 1;

  it('are refused for what is wrong with them, and the right one is taken afterwards', () => {
    const { room, first, second, refused } = proposed();
    const parsed = parseCommit(first.payload);
    if (!parsed.ok) throw new Error(parsed.reason);
    const { raw } = parsed.value;
    expect(refused(Uint8Array.of())).toEqual(['malformed']);
    expect(refused(first.payload.subarray(0, 60))).toEqual(['malformed']);
    expect(refused(Buffer.concat([first.payload, Buffer.of(0)]))).toEqual(['malformed']);
    expect(refused(at(first.payload, 12, 9))).toEqual(['wrongGroup']);
    expect(refused(at(first.payload, EPOCH_AT + 7, 1))).toEqual(['wrongEpoch']);
    expect(refused(at(first.payload, EPOCH_AT + 7, 3))).toEqual(['wrongEpoch']);
    expect(refused(at(first.payload, EPOCH_AT, 0xff))).toEqual(['wrongEpoch']);
    // In the name of another, as bytes and as sender.
    expect(refused(first.payload, second.userId)).toEqual(
      expect.arrayContaining([expect.stringMatching(/wrongSender|forged/)]),
    );
    expect(refused(at(first.payload, SENDER_AT + 3, 2))).toEqual(
      expect.arrayContaining([expect.stringMatching(/wrongSender|forged/)]),
    );
    expect(refused(first.payload, userId(4))).toEqual(['wrongSender']);
    expect(refused(first.payload, userId(77))).toEqual(['notMember']);
    expect(refused(raw)).toEqual(['incompleteWelcome']);
    const reference = parsed.value.references[0] as Uint8Array;
    const offset = reference.byteOffset - first.payload.byteOffset;
    expect(refused(at(first.payload, offset, (reference[0] ?? 0) ^ 1))).toEqual(['wrongProposals']);
    room.give({ type: 'commitWelcome', userId: first.userId, payload: first.payload });
    expect(room.service.view.epoch).toBe(3n);
    // The second that raced, and the first once more.
    room.give({ type: 'commitWelcome', userId: second.userId, payload: second.payload });
    room.give({ type: 'commitWelcome', userId: first.userId, payload: first.payload });
    expect(room.service.view.epoch).toBe(3n);
    room.settle();
    expect(room.wrong()).toBeUndefined();
  });

  it('with a Welcome for others than those who are added', () => {
    const { refused, first } = proposed();
    const parsed = parseCommit(first.payload);
    const welcome = parsed.ok ? parseWelcome(parsed.value.rest) : undefined;
    if (!parsed.ok || welcome?.ok !== true) throw new Error('no welcome');
    const [secret] = welcome.value.secrets as [Welcome['secrets'][0]];
    const offset = secret.keyPackage.byteOffset - first.payload.byteOffset;
    expect(refused(at(first.payload, offset, (secret.keyPackage[0] ?? 0) ^ 1))).toEqual(['incompleteWelcome']);
  });

  it('with a leaf that is not the committer’s', () => {
    const { room, members } = roomOf(3);
    // A remove needs a path, and the path brings the committer's new leaf.
    const give = room.give.bind(room);
    let commit: Uint8Array | undefined;
    room.give = (input) => {
      if (input.type === 'commitWelcome') commit ??= input.payload;
      else give(input);
    };
    room.leave(members[2] as Member);
    const parsed = parseCommit(commit ?? Uint8Array.of());
    if (!parsed.ok || parsed.value.leaf === undefined) throw new Error('no leaf');
    const { leaf, sender } = parsed.value;
    const from = room.service.view.leaves[sender] as string;
    const change = (view: Uint8Array) =>
      at(commit as Uint8Array, view.byteOffset - (commit as Uint8Array).byteOffset + 7, 0x5a);
    for (const part of [leaf.identity, leaf.signatureKey, leaf.encryptionKey]) {
      give({ type: 'commitWelcome', userId: from, payload: change(part) });
    }
    expect(room.service.counters.refused.forged).toBe(3);
    expect(room.service.view.epoch).toBe(2n);
    give({ type: 'commitWelcome', userId: from, payload: commit as Uint8Array });
    expect(room.service.view.epoch).toBe(3n);
  });
});

describe('key packages', () => {
  const take = (payload: Uint8Array, from = userId(1)) => {
    const service = createDaveService({ channelId: CHANNEL });
    service.handle({ type: 'joined', userId: from, maxVersion: 1 }, 0);
    service.handle({ type: 'keyPackage', userId: from, payload }, 0);
    const { refused, keyPackages } = service.counters;
    return keyPackages === 1 ? 'taken' : Object.entries(refused).find(([, count]) => count > 0)?.[0];
  };
  const room = new DaveRoom();
  const made = room.enter(1).session?.getSerializedKeyPackage() ?? Buffer.alloc(0);

  it('are taken bare and as MLSMessage', () => {
    expect(take(made)).toBe('taken');
    expect(take(Buffer.concat([Buffer.of(0, 1, 0, 5), made]))).toBe('taken');
  });

  it('are refused for another user, with any byte changed, cut anywhere, or with something behind', () => {
    expect(take(made, userId(2))).toBe('wrongKeyPackage');
    expect(take(Buffer.concat([made, Buffer.of(0)]))).toBe('malformed');
    expect(take(Buffer.alloc(5_000, 1))).toBe('malformed');
    for (let length = 0; length < made.length; length += 1) {
      expect(parseKeyPackage(made.subarray(0, length)).ok, `cut at ${length}`).toBe(false);
    }
    for (let at = 0; at < made.length; at += 3) {
      const changed = Buffer.from(made);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      expect(take(changed), `byte ${at}`).not.toBe('taken');
    }
  });
});

it('refuses options that cannot be', () => {
  expect(() => createDaveService({ channelId: 'x' })).toThrow(TypeError);
  expect(() => createDaveService({ channelId: CHANNEL, batchMs: -1 })).toThrow(TypeError);
  expect(() => createDaveService({ channelId: CHANNEL, policy: 'maybe' as 'off' })).toThrow(TypeError);
});
