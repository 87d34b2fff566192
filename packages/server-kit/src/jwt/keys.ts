/** Owns the shapes of keys and the algorithms that may be named. Refuses shared secrets: no HMAC, no `none`. */

/** A JSON Web Key (RFC 7517, section 4). */
export interface Jwk {
  /** `EC`, `OKP` or `RSA`. */
  readonly kty: string;
  readonly kid?: string | undefined;
  readonly alg?: string | undefined;
  readonly use?: string | undefined;
  readonly [member: string]: unknown;
}

/** A JSON Web Key Set (RFC 7517, section 5). */
export interface Jwks {
  readonly keys: readonly Jwk[];
}

/** What an issuer signs with. */
export type JwtSigningAlgorithm = 'ES256' | 'EdDSA';

/** What a verifier may accept: signatures with a key pair only. */
export type JwtAlgorithm =
  | JwtSigningAlgorithm
  | 'Ed25519'
  | 'ES384'
  | 'ES512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'RS256'
  | 'RS384'
  | 'RS512';

/** Every {@link JwtAlgorithm}. A shared-secret algorithm here would let a public key be used as the secret. */
export const JWT_ALGORITHMS = [
  'ES256',
  'EdDSA',
  'Ed25519',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
] as const satisfies readonly JwtAlgorithm[];
