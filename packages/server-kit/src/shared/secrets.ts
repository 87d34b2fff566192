/** Owns lists of secrets: the first signs, all verify. Kept in `Redacted`, so that nothing prints them. */
import { Redacted } from '@guildkit/core';

/** A secret, a comma-separated list of them as settings have it, or an array. The first signs, all verify. */
export type SecretInput = string | Redacted | readonly (string | Redacted)[];

/** Shorter ones can be guessed offline from one signed message. */
const MIN_LENGTH = 16;

/**
 * Reads a list of secrets.
 *
 * @throws TypeError when there is none, or one is shorter than 16 characters.
 */
export function readSecrets(owner: string, input: SecretInput): readonly Redacted[] {
  const texts = Array.isArray(input)
    ? (input as readonly (string | Redacted)[]).map(textOf)
    : textOf(input as string | Redacted)
        .split(',')
        .map((part) => part.trim());
  if (texts.length === 0 || texts.some((text) => text.length < MIN_LENGTH)) {
    throw new TypeError(
      `${owner}: every secret must be a string of at least ${MIN_LENGTH} characters; a comma separates several`,
    );
  }
  return texts.map((text) => new Redacted(text));
}

/** By its method: a `Redacted` of another copy of core is none by `instanceof`. */
function textOf(secret: string | Redacted | undefined): string {
  const text: unknown = typeof secret === 'object' ? secret.reveal() : secret;
  return typeof text === 'string' ? text : '';
}
