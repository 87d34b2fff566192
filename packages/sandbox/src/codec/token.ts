/** Owns bot tokens: made in the shape clients know, looked up by digest. */
import { createHash } from 'node:crypto';
import { type Random, randomText } from '../protocol/random.js';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Makes a token: the account's id in base64url, then two random parts. Some clients read the id from it. */
export function createToken(userId: string, random: Random): string {
  const id = Buffer.from(userId).toString('base64url');
  return `${id}.${randomText(random, 6, ALPHABET)}.${randomText(random, 38, ALPHABET)}`;
}

/** Tokens by account. Keeps digests only, so that no dump of the sandbox holds a token. */
export class TokenBook {
  private readonly owners = new Map<string, string>();

  add(userId: string, token: string): void {
    this.owners.set(digest(token), userId);
  }

  /** The account of a token; `undefined` when it is nobody's. */
  ownerOf(token: string): string | undefined {
    return this.owners.get(digest(token));
  }
}

const digest = (token: string): string => createHash('sha256').update(token).digest('hex');
