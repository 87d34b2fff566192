/** Owns what is derived by SHA-256: secrets that come from seed and id alone, so that no saved state needs to hold them. */
import { createHash } from 'node:crypto';

/** SHA-256 of a text as base64url (RFC 7636 §4.2). */
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');

/** A seed's secret for one purpose and id. For tests: whoever knows the seed knows it. */
export const deriveSecret = (seed: number, purpose: string, id: string): string =>
  sha256(`guildkit-sandbox:${seed}:${purpose}:${id}`).replaceAll(/[-_]/g, '0');

/** An application's client secret. */
export const clientSecretOf = (seed: number, applicationId: string): string =>
  deriveSecret(seed, 'client-secret', applicationId).slice(0, 32);
