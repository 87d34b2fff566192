/**
 * Login with Discord and sessions of browsers.
 *
 * @packageDocumentation
 */
export type { ErrorEntry } from '../errors.js';
export type { Principal } from '../principal.js';
export type { SecretInput } from '../shared/secrets.js';
export {
  createDiscordOAuth,
  type DiscordOAuth,
  type DiscordOAuthOptions,
  type DiscordTokens,
  type DiscordUser,
  type LoginStart,
} from './discord-oauth.js';
export { OAUTH_ERRORS, OAuthError, type OAuthErrorCode } from './errors.js';
export { safeReturnAddress } from './return-address.js';
export { createSessions } from './sessions.js';
export type { Session, SessionStats, Sessions, SessionsOptions } from './sessions-options.js';
export {
  type MemorySuccessorStoreOptions,
  memorySuccessorStore,
  type SuccessorStore,
} from './successor-store.js';
