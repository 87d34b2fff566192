/** Owns bot tokens: made in the shape clients know, compared in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type Random, randomText } from '../protocol/random.js';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Makes a token: the account's id in base64url, then two random parts. Some clients read the id from it. */
export function createToken(userId: string, random: Random): string {
  const id = Buffer.from(userId).toString('base64url');
  return `${id}.${randomText(random, 6, ALPHABET)}.${randomText(random, 38, ALPHABET)}`;
}

/** Tokens by account. */
export class TokenBook {
  private readonly digests = new Map<string, Buffer>();

  add(userId: string, token: string): void {
    this.digests.set(userId, digest(token));
  }

  /** The account of a token; `undefined` when it is nobody's. */
  ownerOf(token: string): string | undefined {
    const wanted = digest(token);
    for (const [userId, known] of this.digests) if (timingSafeEqual(known, wanted)) return userId;
    return undefined;
  }
}

const digest = (token: string): Buffer => createHash('sha256').update(token).digest();
