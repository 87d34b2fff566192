/** `/invites`: what they open, and attacks on them. */
import { inspect } from 'node:util';
import {
  createInvites,
  InviteError,
  type InviteErrorCode,
  type InvitesOptions,
  memoryInviteStore,
} from '@guildkit/server-kit/invites';
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { inviteStoreSuite } from '../contract/invite-store-suite.js';
import { keepingLogger } from '../support/log-lines.js';

const SECRET = 'an invite secret of sixteen letters';
const ROOM = { guildId: '1', channelId: '10', roleId: '20', creatorId: '42' };

inviteStoreSuite('memory', async () => {
  const clock = createVirtualClock();
  return { store: memoryInviteStore({ clock }), now: () => clock.wallTime() };
});

function subject(options: Partial<InvitesOptions> = {}) {
  const clock = createVirtualClock();
  const logger = keepingLogger();
  const invites = createInvites({ secrets: SECRET, clock, logger, ...options });
  const codeOf = (work: Promise<unknown>): Promise<InviteErrorCode | 'ok'> =>
    work.then(
      () => 'ok' as const,
      (error: unknown) => {
        if (InviteError.is(error)) return error.code;
        throw error;
      },
    );
  return { clock, logger, invites, codeOf };
}

describe('invites', () => {
  it('open the room that they were made for, for a day', async () => {
    const { invites, clock, codeOf } = subject();
    const { token, claims } = await invites.create(ROOM);
    expect(await invites.verify(token, '10')).toEqual(claims);
    expect(claims).toMatchObject({ ...ROOM, maxUses: undefined, expiresAt: clock.wallTime() + 86_400_000 });
    expect(await codeOf(invites.verify(token, '11'))).toBe('ERR_INVITE_ROOM_MISMATCH');
    await clock.advance(86_399_000);
    expect(await codeOf(invites.redeem(token, '7', '10'))).toBe('ok');
    await clock.advance(1_000);
    expect(await codeOf(invites.redeem(token, '7', '10'))).toBe('ERR_INVITE_TOKEN_EXPIRED');
  });

  it('are called back one by one or with their room', async () => {
    const { invites, codeOf } = subject();
    const [a, b] = [await invites.create(ROOM), await invites.create(ROOM)];
    const elsewhere = await invites.create({ ...ROOM, channelId: '11' });
    await invites.revoke(a.token);
    await invites.revoke(a.token);
    expect(await codeOf(invites.verify(a.token))).toBe('ERR_INVITE_TOKEN_REVOKED');
    expect(await codeOf(invites.verify(b.token))).toBe('ok');
    await invites.revokeRoom('10');
    expect(await codeOf(invites.redeem(b.token, '7'))).toBe('ERR_INVITE_TOKEN_REVOKED');
    expect(await codeOf(invites.verify((await invites.create(ROOM)).token))).toBe('ERR_INVITE_TOKEN_REVOKED');
    expect(await codeOf(invites.verify(elsewhere.token))).toBe('ok');
  });

  it('are used by so many people, each as often as they like', async () => {
    const { invites, codeOf } = subject();
    const { token } = await invites.create({ ...ROOM, maxUses: 2 });
    const uses: string[] = [];
    for (const userId of ['7', '8', '9', '7', '8']) uses.push(await codeOf(invites.redeem(token, userId, '10')));
    expect(uses).toEqual(['ok', 'ok', 'ERR_INVITE_USES_SPENT', 'ok', 'ok']);
    expect(await codeOf(invites.verify(token))).toBe('ok');
    expect(invites.stats()).toEqual({ created: 1, used: 2, refused: { ERR_INVITE_USES_SPENT: 1 } });
  });

  it('are used by no more people when all come at once', async () => {
    const { invites, codeOf } = subject();
    const { token } = await invites.create({ ...ROOM, maxUses: 2 });
    const people = Array.from({ length: 20 }, (_, index) => `${index}`);
    const uses = await Promise.all(people.map((userId) => codeOf(invites.redeem(token, userId, '10'))));
    expect(uses.filter((use) => use === 'ok')).toHaveLength(2);
  });

  it('are verified with every current secret', async () => {
    const former = subject();
    const { token } = await former.invites.create(ROOM);
    const rotated = subject({ secrets: `a newer secret of many letters,${SECRET}` });
    expect(await rotated.codeOf(rotated.invites.verify(token))).toBe('ok');
    const over = subject({ secrets: 'a newer secret of many letters' });
    expect(await over.codeOf(over.invites.verify(token))).toBe('ERR_INVITE_TOKEN_INVALID');
    const expired = subject({ secrets: `a newer secret of many letters,${SECRET}` });
    await expired.clock.advance(90_000_000);
    expect(await expired.codeOf(expired.invites.verify(token))).toBe('ERR_INVITE_TOKEN_EXPIRED');
  });

  it('a full store refuses rather than forgets', async () => {
    const { invites, clock, codeOf } = subject();
    const store = memoryInviteStore({ clock, maxEntries: 1 });
    const few = createInvites({ secrets: SECRET, clock, store });
    const [a, b] = [await invites.create({ ...ROOM, maxUses: 1 }), await invites.create({ ...ROOM, maxUses: 1 })];
    expect(await codeOf(few.redeem(a.token, '7'))).toBe('ok');
    expect(await codeOf(few.redeem(b.token, '7'))).toBe('ERR_INVITE_STORE_FULL');
    await clock.advance(90_000_000);
    expect(await store.use('c', '7', 1, clock.wallTime() + 1)).toBe('counted');
  });

  it('refuse ids that are none', async () => {
    const { invites } = subject();
    const bad = [
      { guildId: 'x' },
      { channelId: '' },
      { roleId: '1\n' },
      { creatorId: '' },
      { maxUses: 0 },
      { maxUses: 1.5 },
    ];
    for (const change of bad) await expect(invites.create({ ...ROOM, ...change })).rejects.toThrow(TypeError);
    expect(() => createInvites({ secrets: 'short' })).toThrow(TypeError);
  });
});

describe('attacks', () => {
  it('are refused, counted and logged, and the log holds no invite', async () => {
    const { invites, codeOf, logger, clock } = subject();
    const { token } = await invites.create(ROOM);
    const [head, body, signature] = token.split('.') as [string, string, string];
    const key = new TextEncoder().encode(SECRET);
    const at = Math.floor(clock.wallTime() / 1000);
    const claims = { ...ROOM, jti: 'j', iat: at, exp: at + 60 };
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const forged = (header: object, payload: object = claims) =>
      new SignJWT({ ...payload }).setProtectedHeader(header as { alg: string }).sign(key);
    const attacks: Record<string, string> = {
      'altered claims': `${head}.${part({ ...claims, channelId: '11' })}.${signature}`,
      'altered signature': `${head}.${body}.${signature.slice(0, -2)}AA`,
      'no signature': `${head}.${body}.`,
      'alg none': new UnsecuredJWT({ ...claims }).encode(),
      'alg none with a signature': `${part({ alg: 'none', typ: 'invite+jwt' })}.${body}.${signature}`,
      'another algorithm': await forged({ alg: 'HS512', typ: 'invite+jwt' }),
      'another kind of token': await forged({ alg: 'HS256', typ: 'JWT' }),
      'no kind': await forged({ alg: 'HS256' }),
      'no expiry': await forged({ alg: 'HS256', typ: 'invite+jwt' }, { ...ROOM, jti: 'j' }),
      'no id': await forged({ alg: 'HS256', typ: 'invite+jwt' }, { ...ROOM, exp: at + 60 }),
      'no room': await forged({ alg: 'HS256', typ: 'invite+jwt' }, { ...claims, channelId: undefined }),
      'a room that is none': await forged({ alg: 'HS256', typ: 'invite+jwt' }, { ...claims, channelId: '10\n' }),
      'endless uses': await forged({ alg: 'HS256', typ: 'invite+jwt' }, { ...claims, maxUses: 'all' }),
      'a crit header': `${part({ alg: 'HS256', typ: 'invite+jwt', crit: ['b64'], b64: false })}.${body}.${signature}`,
      empty: '',
      huge: 'a'.repeat(1_000_000),
    };
    for (const [name, attack] of Object.entries(attacks)) {
      expect(await codeOf(invites.redeem(attack, '7', '10')), name).toBe('ERR_INVITE_TOKEN_INVALID');
    }
    const count = Object.keys(attacks).length;
    expect(invites.stats().refused).toEqual({ ERR_INVITE_TOKEN_INVALID: count });
    expect(logger.of('warn')).toHaveLength(count);
    const text = JSON.stringify(logger.lines) + inspect(invites, { depth: 9 });
    for (const secret of [SECRET, signature]) expect(text).not.toContain(secret);
    expect(await codeOf(invites.verify(await forged({ alg: 'HS256', typ: 'invite+jwt' })))).toBe('ok');
  });

  it('no text is an invite', async () => {
    const { invites, codeOf } = subject();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.base64String(),
          fc.string().map((text) => `${text}.${text}.${text}`),
        ),
        async (text) => {
          expect(await codeOf(invites.verify(text))).toBe('ERR_INVITE_TOKEN_INVALID');
        },
      ),
    );
    expect(await codeOf(invites.verify(undefined as never))).toBe('ERR_INVITE_TOKEN_INVALID');
  });
});
