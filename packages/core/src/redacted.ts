/** Owns secrets in memory: a wrapper that does not print, and a filter for text that might hold one. */

const REDACTED = '[redacted]';

/**
 * A secret that shows as `[redacted]` wherever it is printed, logged, spread or serialised.
 *
 * @example
 * ```ts
 * import { Redacted } from '@guildkit/core';
 *
 * const token = new Redacted('a bot token');
 * console.log(`${token}`, JSON.stringify({ token })); // [redacted] {"token":"[redacted]"}
 * const header = `Bot ${token.reveal()}`;
 * ```
 */
export class Redacted<T = string> {
  /** The secret itself. Call it where the secret is used, not before. */
  declare readonly reveal: () => T;

  constructor(secret: T) {
    // A closure, not a field: nothing that walks the object's properties meets the secret.
    Object.defineProperty(this, 'reveal', { value: () => secret });
  }

  /** `[redacted]`: what a template or a concatenation gets. */
  toString(): string {
    return REDACTED;
  }

  /** `[redacted]`: what `JSON.stringify` gets. */
  toJSON(): string {
    return REDACTED;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return REDACTED;
  }
}

/**
 * Returns a function that replaces each of the secrets in a text. For the last line of defence: text from a
 * library or a peer that may echo what it was sent.
 *
 * @param secrets Secrets shorter than six characters are ignored: replacing them would garble ordinary words.
 */
export function createRedactor(secrets: readonly (string | Redacted)[]): (text: string) => string {
  const plain = secrets
    .map((secret) => (typeof secret === 'string' ? secret : secret.reveal()))
    .filter((secret) => secret.length >= 6)
    .sort((a, b) => b.length - a.length);
  return (text) => plain.reduce((done, secret) => done.replaceAll(secret, REDACTED), text);
}
