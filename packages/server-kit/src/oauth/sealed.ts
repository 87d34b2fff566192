/** Owns texts that the browser keeps for us and can neither read nor change: JWE, `dir` with A256GCM (RFC 7516, RFC 7518). */
import { hkdfSync } from 'node:crypto';
import type { Clock } from '@guildkit/core';
import { EncryptJWT, jwtDecrypt } from 'jose';
import { readSecrets, type SecretInput } from '../shared/secrets.js';

/** What a sealed text is for: one kind can never stand in for another. */
export type SealPurpose = 'session' | 'login' | 'state';

/** A sealed text that was opened. */
export type Opened =
  | { readonly kind: 'open'; readonly value: Readonly<Record<string, unknown>> }
  | { readonly kind: 'expired' }
  | { readonly kind: 'none' };

/** Seals and opens. */
export interface Sealer {
  seal(purpose: SealPurpose, value: Readonly<Record<string, unknown>>, ttlSeconds: number): Promise<string>;
  /** Never throws. */
  open(purpose: SealPurpose, text: string | undefined | null): Promise<Opened>;
}

/** A cookie cannot be longer (RFC 6265bis, section 5.6). */
const MAX_LENGTH = 4_096;

/** Creates a sealer. The first secret seals, all open. */
export function createSealer(owner: string, secrets: SecretInput, clock: Clock): Sealer {
  const texts = readSecrets(owner, secrets).map((secret) => secret.reveal());
  const keysOf = (purpose: SealPurpose): Uint8Array[] =>
    texts.map((text) => new Uint8Array(hkdfSync('sha256', text, '', `guildkit ${purpose}`, 32)));
  const keys = { session: keysOf('session'), login: keysOf('login'), state: keysOf('state') };

  return {
    seal(purpose, value, ttlSeconds) {
      const issuedAt = Math.floor(clock.wallTime() / 1000);
      return new EncryptJWT({ v: value })
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', typ: purpose })
        .setExpirationTime(issuedAt + ttlSeconds)
        .encrypt(keys[purpose][0] as Uint8Array);
    },
    async open(purpose, text) {
      if (typeof text !== 'string' || text === '' || text.length > MAX_LENGTH) return { kind: 'none' };
      for (const key of keys[purpose]) {
        try {
          const { payload } = await jwtDecrypt(text, key, {
            keyManagementAlgorithms: ['dir'],
            contentEncryptionAlgorithms: ['A256GCM'],
            typ: purpose,
            requiredClaims: ['exp'],
            currentDate: new Date(clock.wallTime()),
          });
          const { v } = payload;
          return typeof v === 'object' && v !== null
            ? { kind: 'open', value: v as Readonly<Record<string, unknown>> }
            : { kind: 'none' };
        } catch (error) {
          if ((error as { code?: unknown }).code === 'ERR_JWT_EXPIRED') return { kind: 'expired' };
        }
      }
      return { kind: 'none' };
    },
  };
}
