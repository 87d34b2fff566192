/**
 * Owns who a visitor is: a guest id in a signed, httpOnly cookie. Refuses to trust a cookie that it has not signed.
 */
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import type { Redacted } from '@guildkit/core';

const COOKIE = 'guest';
const MAX_AGE_SECONDS = 30 * 24 * 60 * 60;

/** A visitor. */
interface Guest {
  /** `guest-<uuid>`. */
  readonly userId: string;
  /** The `Set-Cookie` line that makes the browser remember a new guest, `undefined` for a known one. */
  readonly setCookie: string | undefined;
}

/** Tells guests from their cookies. */
export interface Guests {
  /** The guest of a request, a new one when the request carries no valid cookie. */
  admit(cookieHeader: string | null | undefined): Guest;
  /** The guest's id, `undefined` when there is no valid cookie. */
  read(cookieHeader: string | null | undefined): string | undefined;
}

/**
 * @param secrets The first signs, all verify.
 * @param secure Whether pages come over https: then the cookie travels over nothing else.
 */
export function createGuests(secrets: readonly Redacted[], secure: boolean): Guests {
  const sign = (userId: string, secret: Redacted) =>
    createHmac('sha256', secret.reveal()).update(`guest:${userId}`).digest('base64url');

  const read = (cookieHeader: string | null | undefined): string | undefined => {
    const [userId = '', signature = ''] = cookieOf(cookieHeader, COOKIE)?.split('.') ?? [];
    const matches = secrets.some((secret) => sameText(sign(userId, secret), signature));
    return userId !== '' && matches ? userId : undefined;
  };

  return {
    read,
    admit(cookieHeader) {
      const known = read(cookieHeader);
      if (known !== undefined) return { userId: known, setCookie: undefined };
      const userId = `guest-${randomUUID()}`;
      const [current] = secrets;
      if (current === undefined) throw new TypeError('createGuests: at least one secret is needed');
      const attributes = `Path=/; Max-Age=${MAX_AGE_SECONDS}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
      return { userId, setCookie: `${COOKIE}=${userId}.${sign(userId, current)}; ${attributes}` };
    },
  };
}

function cookieOf(header: string | null | undefined, name: string): string | undefined {
  for (const pair of (header ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}

function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
