/** Commits are complete whatever the order in which proposals come; the library is there or the error says how. */
import { describe, expect, it } from 'vitest';
import { createExternalSender } from '../../../sandbox/src/codec/dave/external-sender.js';
import { uint64 } from '../../../sandbox/src/protocol/dave/bytes.js';
import { parseCommit, parseWelcome, welcomeOf } from '../../../sandbox/src/protocol/dave/commit.js';
import { appendPayload, revokePayload } from '../../../sandbox/src/protocol/dave/messages.js';
import { createProposalBook } from '../../src/dave/proposal-book.js';
import { isEncryptable } from '../../src/protocol/dave/encryptable.js';
import { loadDaveLibrary, RtcError } from '../support/dave-imports.js';
import { CHANNEL, userId } from '../support/dave-room.js';

const library = await loadDaveLibrary();
const sender = createExternalSender(uint64(BigInt(CHANNEL)));
const users = [1, 2, 3, 4].map(userId);

function someone(n: number) {
  const session = library.createSession(1, userId(n), CHANNEL, library.createIdentity());
  if (session === undefined) throw new Error('no session');
  session.setExternalSender(sender.package);
  const keyPackage = session.createKeyPackage() ?? new Uint8Array(0);
  return { session, keyPackage };
}

/** What the voice gateway sees of op 28. */
function look(answer: Uint8Array | undefined) {
  const commit = parseCommit(answer ?? new Uint8Array(0));
  if (!commit.ok) throw new Error(commit.reason);
  const welcome = commit.value.rest.length > 0 ? parseWelcome(commit.value.rest) : undefined;
  if (welcome?.ok === false) throw new Error(welcome.reason);
  return { commit: commit.value, proposals: commit.value.references.length, welcome: welcome?.value };
}

describe('proposals in several messages', () => {
  it('keep their Welcome, which davey alone loses', () => {
    const [a, b, c, d] = [1, 2, 3, 4].map(someone) as [ReturnType<typeof someone>, ...ReturnType<typeof someone>[]];
    const book = createProposalBook();
    const take = (payload: Uint8Array) => {
      const outcome = book.take(a.session, payload, users);
      if (outcome.type !== 'taken') throw new Error(outcome.type);
      return outcome.answer;
    };
    const addB = sender.add(0, (b as typeof a).keyPackage);
    const addC = sender.add(0, (c as typeof a).keyPackage);
    expect(look(take(appendPayload([addB.message])))).toMatchObject({ proposals: 1, welcome: { secrets: [{}] } });
    expect(look(take(appendPayload([addC.message])))).toMatchObject({ proposals: 2, welcome: { secrets: [{}, {}] } });
    // One is taken back: davey would commit the other without a Welcome.
    expect(look(take(revokePayload([addC.reference])))).toMatchObject({ proposals: 1, welcome: { secrets: [{}] } });
    expect(book.isOpen).toBe(true);
    const { commit, welcome } = look(take(appendPayload([addC.message])));
    expect(a.session.processCommit(commit.raw)).toEqual({ ok: true });
    for (const one of [b, c] as [typeof a, typeof a]) {
      const outcomes = (welcome?.secrets ?? []).map((secret) => {
        return welcome === undefined ? undefined : one.session.processWelcome(welcomeOf(welcome, secret)).ok;
      });
      expect(outcomes).toContain(true);
    }
    book.clear();
    // An Add, then a Remove in a message of its own.
    const addD = sender.add(1, (d as typeof a).keyPackage);
    take(appendPayload([addD.message]));
    const both = look(take(appendPayload([sender.remove(1, 2).message])));
    expect(both).toMatchObject({ proposals: 2, welcome: { secrets: [{}] } });
    expect(a.session.processCommit(both.commit.raw)).toEqual({ ok: true });
    expect(a.session.userIds).toHaveLength(3);
  });

  it('of another epoch, another sender or for an unknown user make no commit', () => {
    const [a, b] = [someone(1), someone(2)];
    const book = createProposalBook();
    const other = createExternalSender(uint64(BigInt(CHANNEL)));
    expect(book.take(a.session, appendPayload([sender.add(3, b.keyPackage).message]), users).type).toBe('behind');
    expect(book.take(a.session, appendPayload([other.add(0, b.keyPackage).message]), users).type).toBe('refused');
    expect(book.take(a.session, appendPayload([sender.add(0, b.keyPackage).message]), [userId(1)]).type).toBe(
      'refused',
    );
    expect(book.take(a.session, Uint8Array.of(2, 0), users).type).toBe('refused');
    expect(book.isOpen).toBe(false);
  });
});

describe('the library', () => {
  it.each([
    ['is not installed', () => Promise.reject(new Error("Cannot find package '@snazzah/davey'"))],
    ['is something else', () => Promise.resolve({ default: {} })],
  ])('%s: a typed error that says what to do', async (_, load) => {
    const error: unknown = await loadDaveLibrary(load).catch((thrown: unknown) => thrown);
    expect(RtcError.is(error) && error.code).toBe('ERR_RTC_DAVE_UNAVAILABLE');
    expect(String(error)).toMatch(/@snazzah\/davey.*dave: false/);
  });

  it('speaks version 1 and refuses others', () => {
    expect(library.maxProtocolVersion).toBe(1);
    expect(library.createSession(2, userId(1), CHANNEL, library.createIdentity())).toBeUndefined();
  });
});

describe('frames that would end the process', () => {
  const h264 = (...units: number[][]) => Uint8Array.from(units.flatMap((unit) => [0, 0, 0, 1, ...unit]));
  it.each([
    ['opus', Uint8Array.of(), false],
    ['opus', Uint8Array.of(0x78), true],
    ['vp8', Uint8Array.of(), false],
    ['vp8', Uint8Array.of(0), false],
    ['vp8', new Uint8Array(9), false],
    ['vp8', new Uint8Array(10), true],
    ['vp8', Uint8Array.of(1), true],
    ['vp9', Uint8Array.of(1), true],
    ['h264', Uint8Array.of(0), false],
    ['h264', Uint8Array.of(1, 2, 3, 4, 5), false],
    ['h264', h264([0x65]), false],
    ['h264', h264([0x65, 0x88]), false],
    ['h264', h264([0x65, 0, 0]), false],
    ['h264', h264([0x65, 0x88, 0x80, 0, 1]), true],
    ['h264', h264([0x65, 0x88, 0x80, 0, 1], [0x41]), false],
    ['h264', h264([0x67, 1, 2], [0x65, 0, 0]), false],
    ['h264', Uint8Array.of(9, 0, 0, 1, 0x65, 0x88, 0x80, 0, 1), false],
    ['h264', Uint8Array.of(0, 0, 1, 0x65, 0x88, 0x80, 0, 1), true],
    ['av1', new Uint8Array(20), false],
    ['h265', new Uint8Array(20), false],
  ] as const)('%s %j', (codec, frame, isIt) => {
    expect(isEncryptable(codec, frame)).toBe(isIt);
  });
});
