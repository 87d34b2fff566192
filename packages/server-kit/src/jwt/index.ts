/**
 * JSON Web Tokens: issuing, and verifying through a key set.
 *
 * @packageDocumentation
 */
export { type ErrorEntry, JWT_ERRORS, JwtError, type JwtErrorCode } from '../errors.js';
export type { Principal } from '../principal.js';
export { createJwtGuard, type JwtGuard, type JwtGuardOptions, type JwtGuardStats } from './guard.js';
export {
  createJwtIssuer,
  generatePrivateJwk,
  type JwtIssuer,
  type JwtIssuerOptions,
  type JwtSubject,
  type SignedJwt,
} from './issuer.js';
export type { Jwk, Jwks, JwtAlgorithm, JwtSigningAlgorithm } from './keys.js';
export { createJwtVerifier, type JwtVerifier, type JwtVerifierOptions } from './verifier.js';
