/**
 * Owns the two header forms and the arithmetic of signatures, over bytes.
 *
 * `hub`: `X-Hub-Timestamp: <unix s>`, `X-Hub-Signature: sha256=<hex of HMAC-SHA256("<ts>.<body>")>`.
 * `standard`: the Standard Webhooks specification 1.0: `webhook-id`, `webhook-timestamp`,
 * `webhook-signature: v1,<base64 of HMAC-SHA256("<id>.<ts>.<body>")>`, several separated by spaces.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Redacted } from '@guildkit/core';

/** Which headers carry the signature. */
export type WebhookForm = 'hub' | 'standard';

/** What the headers say. */
export interface SignedFacts {
  /** `''` in the `hub` form. */
  readonly id: string;
  /** As it stood in the header: it is signed letter by letter. */
  readonly timestamp: string;
  readonly signatures: readonly Buffer[];
}

/** Headers as Web or as Node gives them. */
export type HeadersInput = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

/** Names of the headers of a form. */
export const HEADER_NAMES = {
  hub: { timestamp: 'x-hub-timestamp', signature: 'x-hub-signature' },
  standard: { id: 'webhook-id', timestamp: 'webhook-timestamp', signature: 'webhook-signature' },
} as const;

/** Decimal without sign or leading zero: one time has one spelling. */
const TIMESTAMP = /^[1-9][0-9]{0,11}$/;
const HUB_SIGNATURE = /^sha256=([0-9a-f]{64})$/i;
/** 32 bytes are 43 letters and one `=`. */
const STANDARD_SIGNATURE = /^v1,([A-Za-z0-9+/]{43}=)$/;
const STANDARD_ID = /^[\x21-\x7e]{1,200}$/;
/** More would let a caller choose how much is computed. */
const MAX_SIGNATURES = 8;

/** The headers of a body. */
export function sign(
  form: WebhookForm,
  secret: Redacted,
  { id, timestamp, body }: { readonly id: string; readonly timestamp: number; readonly body: Uint8Array },
): Readonly<Record<string, string>> {
  const mac = macOf(form, secret, { id, timestamp: String(timestamp) }, body);
  if (form === 'hub') {
    const { timestamp: at, signature } = HEADER_NAMES.hub;
    return { [at]: String(timestamp), [signature]: `sha256=${mac.toString('hex')}` };
  }
  const names = HEADER_NAMES.standard;
  return { [names.id]: id, [names.timestamp]: String(timestamp), [names.signature]: `v1,${mac.toString('base64')}` };
}

/** Reads the headers of a form. */
export function readHeaders(form: WebhookForm, headers: HeadersInput): SignedFacts | 'missing' | 'malformed' {
  const names = HEADER_NAMES[form];
  const timestamp = headerOf(headers, names.timestamp);
  const signature = headerOf(headers, names.signature);
  const id = 'id' in names ? headerOf(headers, names.id) : '';
  if (timestamp === undefined || signature === undefined || id === undefined) return 'missing';
  const signatures = form === 'hub' ? hubSignature(signature) : standardSignatures(signature);
  if (!TIMESTAMP.test(timestamp) || signatures.length === 0) return 'malformed';
  if (form === 'standard' && !STANDARD_ID.test(id)) return 'malformed';
  return { id, timestamp, signatures };
}

/**
 * The signature that one of the secrets made, `undefined` when there is none. Takes the same time whichever secret or
 * byte differs.
 */
export function matchingSignature(
  form: WebhookForm,
  secrets: readonly Redacted[],
  facts: SignedFacts,
  body: Uint8Array,
): Buffer | undefined {
  let found: Buffer | undefined;
  for (const secret of secrets) {
    const mac = macOf(form, secret, facts, body);
    for (const signature of facts.signatures) if (timingSafeEqual(mac, signature)) found = mac;
  }
  return found;
}

function macOf(
  form: WebhookForm,
  secret: Redacted,
  { id, timestamp }: { readonly id: string; readonly timestamp: string },
  body: Uint8Array,
): Buffer {
  const hmac = createHmac('sha256', keyOf(form, secret.reveal()));
  hmac.update(form === 'hub' ? `${timestamp}.` : `${id}.${timestamp}.`);
  return hmac.update(body).digest();
}

/** Standard Webhooks: `whsec_` and base64; without the prefix the letters themselves are the key. */
function keyOf(form: WebhookForm, secret: string): string | Buffer {
  const prefix = 'whsec_';
  return form === 'standard' && secret.startsWith(prefix) ? Buffer.from(secret.slice(prefix.length), 'base64') : secret;
}

function hubSignature(header: string): readonly Buffer[] {
  const hex = HUB_SIGNATURE.exec(header)?.[1];
  return hex === undefined ? [] : [Buffer.from(hex, 'hex')];
}

/** Signatures of other versions are passed over, as the specification asks. */
function standardSignatures(header: string): readonly Buffer[] {
  return header
    .split(' ')
    .slice(0, MAX_SIGNATURES)
    .flatMap((part) => {
      const base64 = STANDARD_SIGNATURE.exec(part)?.[1];
      return base64 === undefined ? [] : [Buffer.from(base64, 'base64')];
    });
}

/** A header that came more than once is joined by commas (or is an array) and fits no form. */
function headerOf(headers: HeadersInput, name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  const key = Object.keys(headers).find((candidate) => candidate.toLowerCase() === name);
  const value = key === undefined ? undefined : headers[key];
  return typeof value === 'string' || value === undefined ? value : value.join(', ');
}
