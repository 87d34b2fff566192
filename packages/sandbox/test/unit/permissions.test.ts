import { type APIOverwrite, type OverwriteType, PermissionFlagsBits as P } from 'discord-api-types/v10';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ALL_PERMISSIONS,
  basePermissions,
  bitsOf,
  type Holder,
  permissionsIn,
} from '../../src/protocol/world/permissions.js';

const GUILD = '1';
const ROLE_A = '2';
const ROLE_B = '3';
const USER = '9';
const BASE = P.ViewChannel | P.SendMessages | P.Connect | P.Speak | P.AttachFiles;

const holder = (input: Partial<Holder> = {}): Holder => ({
  userId: USER,
  isOwner: false,
  everyone: { id: GUILD, permissions: BASE },
  roles: [],
  ...input,
});
const role = (id: string, permissions = 0n) => ({ id, permissions });
const over = (id: string, type: OverwriteType, allow: bigint, deny: bigint): APIOverwrite => ({
  id,
  type,
  allow: String(allow),
  deny: String(deny),
});

describe('a table of Discord’s rules', () => {
  test.each<[string, Holder, APIOverwrite[], bigint]>([
    [
      'without overwrites: what the roles add up to',
      holder({ roles: [role(ROLE_A, P.MuteMembers)] }),
      [],
      BASE | P.MuteMembers,
    ],
    ['the owner may everything', holder({ isOwner: true }), [over(USER, 1, 0n, P.ViewChannel)], ALL_PERMISSIONS],
    [
      'an administrator, too, whatever the overwrites',
      holder({ roles: [role(ROLE_A, P.Administrator)] }),
      [over(GUILD, 0, 0n, P.ViewChannel)],
      ALL_PERMISSIONS,
    ],
    ['denied to @everyone', holder(), [over(GUILD, 0, 0n, P.Speak)], BASE & ~P.Speak],
    [
      'a role’s allow stands above @everyone’s deny',
      holder({ roles: [role(ROLE_A)] }),
      [over(ROLE_A, 0, P.Speak, 0n), over(GUILD, 0, 0n, P.Speak)],
      BASE,
    ],
    [
      'of two roles one that allows wins',
      holder({ roles: [role(ROLE_A), role(ROLE_B)] }),
      [over(ROLE_A, 0, P.Speak, 0n), over(ROLE_B, 0, 0n, P.Speak)],
      BASE,
    ],
    ['a role that the member lacks does not count', holder(), [over(ROLE_A, 0, P.ManageMessages, P.Speak)], BASE],
    [
      'the member’s own overwrite is last',
      holder({ roles: [role(ROLE_A)] }),
      [over(USER, 1, P.ManageMessages, P.Speak), over(ROLE_A, 0, P.Speak, P.ManageMessages)],
      (BASE & ~P.Speak) | P.ManageMessages,
    ],
    [
      'an id of the wrong type does not count',
      holder(),
      [over(USER, 0, P.ManageMessages, 0n), over(GUILD, 1, P.ManageMessages, 0n)],
      BASE,
    ],
    ['without VIEW_CHANNEL nothing', holder(), [over(GUILD, 0, 0n, P.ViewChannel)], 0n],
    [
      'without SEND_MESSAGES no attachments either',
      holder(),
      [over(GUILD, 0, 0n, P.SendMessages)],
      BASE & ~P.SendMessages & ~P.AttachFiles,
    ],
    ['ADMINISTRATOR cannot come from an overwrite', holder(), [over(USER, 1, P.Administrator, 0n)], BASE],
  ])('%s', (_name, who, overwrites, expected) => {
    expect(permissionsIn(who, { overwrites, isVoice: false })).toBe(expected);
  });

  test('without CONNECT a voice channel can only be seen', () => {
    const place = { overwrites: [over(GUILD, 0, P.ManageChannels, P.Connect)], isVoice: true };
    expect(permissionsIn(holder(), place)).toBe(P.ViewChannel);
  });

  test('names become bits', () => {
    expect(bitsOf(['ViewChannel', 'Connect'])).toBe(P.ViewChannel | P.Connect);
  });
});

const bits = fc.bigInt({ min: 0n, max: (1n << 53n) - 1n }).map((value) => value & ALL_PERMISSIONS);
const overwrite = fc
  .record({ id: fc.constantFrom(GUILD, ROLE_A, ROLE_B, USER), type: fc.constantFrom(0, 1), allow: bits, deny: bits })
  .map(({ id, type, allow, deny }) => over(id, type, allow, deny));
const anyone = fc.record({
  everyone: bits,
  a: fc.option(bits),
  b: fc.option(bits),
  overwrites: fc.uniqueArray(overwrite, { maxLength: 4, selector: ({ id, type }) => `${id}${type}` }),
  isVoice: fc.boolean(),
});
const plain = (value: bigint): bigint => value & ~P.Administrator;
const build = ({ everyone, a, b }: { everyone: bigint; a: bigint | null; b: bigint | null }): Holder =>
  holder({
    everyone: { id: GUILD, permissions: plain(everyone) },
    roles: [...(a === null ? [] : [role(ROLE_A, plain(a))]), ...(b === null ? [] : [role(ROLE_B, plain(b))])],
  });

describe('whatever the roles and overwrites', () => {
  test('the order of overwrites does not matter', () => {
    fc.assert(
      fc.property(anyone, (it) => {
        const who = build(it);
        const there = permissionsIn(who, { overwrites: it.overwrites, isVoice: it.isVoice });
        const back = permissionsIn(who, { overwrites: [...it.overwrites].reverse(), isVoice: it.isVoice });
        expect(back).toBe(there);
      }),
    );
  });

  test('who does not see a channel may do nothing in it, and nobody becomes an administrator', () => {
    fc.assert(
      fc.property(anyone, (it) => {
        const held = permissionsIn(build(it), { overwrites: it.overwrites, isVoice: it.isVoice });
        expect(held === 0n || (held & P.ViewChannel) !== 0n).toBe(true);
        expect(held & P.Administrator).toBe(0n);
      }),
    );
  });

  test('the member’s overwrite decides each bit it names, but for what goes with others', () => {
    fc.assert(
      fc.property(anyone, bits, bits, (it, allow, deny) => {
        const others = it.overwrites.filter(({ id, type }) => !(id === USER && type === 1));
        const own = over(USER, 1, allow | P.ViewChannel | P.SendMessages | P.Connect, deny);
        const held = permissionsIn(build(it), { overwrites: [...others, own], isVoice: it.isVoice });
        expect(held & plain(allow)).toBe(plain(allow));
        expect(held & deny & ~allow & ~(P.ViewChannel | P.SendMessages | P.Connect)).toBe(0n);
      }),
    );
  });

  test('another role never takes away in the guild', () => {
    fc.assert(
      fc.property(anyone, bits, (it, more) => {
        const who = build(it);
        const before = basePermissions(who);
        expect(basePermissions({ ...who, roles: [...who.roles, role('5', more)] }) & before).toBe(before);
      }),
    );
  });
});
