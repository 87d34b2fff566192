/**
 * Invites to rooms: signed, bound to one room, revocable, with a bound on their uses.
 *
 * @packageDocumentation
 */
export type { ErrorEntry } from '../errors.js';
export type { SecretInput } from '../shared/secrets.js';
export { INVITE_ERRORS, InviteError, type InviteErrorCode } from './errors.js';
export { type InviteStore, type InviteUse, type MemoryInviteStoreOptions, memoryInviteStore } from './invite-store.js';
export {
  createInvites,
  type InviteClaims,
  type InviteStats,
  type Invites,
  type InvitesOptions,
  type NewInvite,
} from './invites.js';
