import { Redacted } from '@guildkit/core';
import { describe, expect, test } from 'vitest';
import { createGuests } from '../../src/server/guests.js';

const guests = createGuests([new Redacted('new-secret')], false);
const cookieOf = (setCookie: string | undefined) => setCookie?.split(';')[0] ?? '';

describe('guests', () => {
  test('a new guest gets a cookie that is known again', () => {
    const guest = guests.admit(null);
    const cookie = cookieOf(guest.setCookie);
    expect(guests.admit(`theme=dark; ${cookie}; x=1`)).toEqual({ userId: guest.userId, setCookie: undefined });
    expect(guests.read(cookie)).toBe(guest.userId);
  });

  test.each([
    ['no cookie', null],
    ['an empty one', 'guest='],
    ['no signature', 'guest=guest-1'],
    ['an empty signature', 'guest=guest-1.'],
    ['a foreign signature', 'guest=guest-1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
    [
      'another name',
      cookieOf(createGuests([new Redacted('new-secret')], false).admit(null).setCookie).replace('guest=', 'guests='),
    ],
  ])('%s is nobody', (_what, cookie) => {
    expect(guests.read(cookie)).toBeUndefined();
  });

  test('a signature is for one id', () => {
    const [id, signature] = cookieOf(guests.admit(null).setCookie).slice('guest='.length).split('.');
    expect(guests.read(`guest=${id}x.${signature}`)).toBeUndefined();
  });

  test('after a change of the secret old cookies are still good, and new ones are signed anew', () => {
    const before = createGuests([new Redacted('old-secret')], false);
    const after = createGuests([new Redacted('new-secret'), new Redacted('old-secret')], false);
    const old = before.admit(null);
    expect(after.read(cookieOf(old.setCookie))).toBe(old.userId);
    expect(guests.read(cookieOf(after.admit(null).setCookie))).toBeDefined();
    expect(before.read(cookieOf(after.admit(null).setCookie))).toBeUndefined();
  });

  test('over https the cookie travels over nothing else', () => {
    expect(createGuests([new Redacted('s')], true).admit(null).setCookie).toMatch(/; HttpOnly; SameSite=Lax; Secure$/);
  });
});
