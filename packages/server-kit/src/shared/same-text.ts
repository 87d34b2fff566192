/** Owns comparing a secret with what a peer sent, in a time that says nothing. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** Whether two texts are the same. Takes the same time wherever they differ, lengths included. */
export function sameText(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
