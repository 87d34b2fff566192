/** Owns bot tokens: made in the shape clients know, looked up by digest. */
import { createHash } from 'node:crypto';
import { deriveSecret } from './derive.js';

/**
 * Makes a bot's token: its id in base64url, then two parts that come from the seed. Some clients read the id from it.
 * `generation` counts the resets.
 */
export function createToken(userId: string, seed: number, generation = 0): string {
  const secret = deriveSecret(seed, generation === 0 ? 'token' : `token ${generation}`, userId);
  return `${Buffer.from(userId).toString('base64url')}.${secret.slice(0, 6)}.${secret.slice(5, 43)}`;
}

/** Tokens by account. Keeps digests only, so that no dump of the sandbox holds a token. */
export class TokenBook {
  private readonly owners = new Map<string, string>();

  add(userId: string, token: string): void {
    this.owners.set(digest(token), userId);
  }

  /** Makes every token of an account void. */
  revoke(userId: string): void {
    for (const [digested, owner] of this.owners) if (owner === userId) this.owners.delete(digested);
  }

  /** The account of a token; `undefined` when it is nobody's. */
  ownerOf(token: string): string | undefined {
    return this.owners.get(digest(token));
  }
}

const digest = (token: string): string => createHash('sha256').update(token).digest('hex');
