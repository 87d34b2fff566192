/** The same ciphers from a library of its own making, to compare with: @noble/ciphers. */

import type { ModeTraits } from '@guildkit/rtp';
import { gcm } from '@noble/ciphers/aes.js';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js';

/** Encrypts as the mode's cipher does: text and tag in its order. */
export function reference(
  cipher: ModeTraits['cipher'],
  key: Uint8Array,
  nonce: Uint8Array,
  clear: Uint8Array,
  text: Uint8Array,
): Uint8Array {
  switch (cipher) {
    case 'aes-256-gcm':
      return gcm(key, nonce, clear).encrypt(text);
    case 'xchacha20-poly1305':
      return xchacha20poly1305(key, nonce, clear).encrypt(text);
    case 'xsalsa20-poly1305':
      return xsalsa20poly1305(key, nonce).encrypt(text);
  }
}
