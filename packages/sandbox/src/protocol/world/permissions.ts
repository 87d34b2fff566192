/**
 * Owns what someone may do (Discord docs, Topics: Permissions): roles, then channel overwrites, then what one
 * permission's absence takes away with it. Pure and free of the world's shape, so that a table can test it.
 */
import { type APIOverwrite, OverwriteType, PermissionFlagsBits as P } from 'discord-api-types/v10';

/** Name of a permission, as discord-api-types spells it. */
export type PermissionName = keyof typeof P;

/** Every permission there is. */
export const ALL_PERMISSIONS: bigint = Object.values(P).reduce((all, bit) => all | bit, 0n);

/** What goes with SEND_MESSAGES (Permissions: Implicit Permissions). */
const SENDING = P.MentionEveryone | P.SendTTSMessages | P.AttachFiles | P.EmbedLinks;

/** A role's or member's part in the sum. */
export interface PermissionSource {
  readonly id: string;
  readonly permissions: bigint;
}

/** Who asks, of which guild. */
export interface Holder {
  readonly userId: string;
  readonly isOwner: boolean;
  readonly everyone: PermissionSource;
  /** Their other roles. */
  readonly roles: readonly PermissionSource[];
}

/** What of a channel matters. */
export interface Place {
  readonly overwrites: readonly APIOverwrite[];
  /** Voice and stage channels can be entered only with CONNECT, and hardly used without. */
  readonly isVoice: boolean;
}

/** Permissions in the guild as a whole. */
export function basePermissions({ isOwner, everyone, roles }: Holder): bigint {
  if (isOwner) return ALL_PERMISSIONS;
  const sum = roles.reduce((all, role) => all | role.permissions, everyone.permissions);
  return (sum & P.Administrator) === 0n ? sum : ALL_PERMISSIONS;
}

/** Permissions in one channel. */
export function permissionsIn(holder: Holder, { overwrites, isVoice }: Place): bigint {
  const base = basePermissions(holder);
  if ((base & P.Administrator) !== 0n) return ALL_PERMISSIONS;
  const roleIds = new Set(holder.roles.map(({ id }) => id));
  let allow = 0n;
  let deny = 0n;
  let result = base;
  for (const overwrite of overwrites) {
    if (overwrite.type !== OverwriteType.Role) continue;
    if (overwrite.id === holder.everyone.id) result = (result & ~BigInt(overwrite.deny)) | BigInt(overwrite.allow);
    else if (roleIds.has(overwrite.id)) {
      allow |= BigInt(overwrite.allow);
      deny |= BigInt(overwrite.deny);
    }
  }
  result = (result & ~deny) | allow;
  const own = overwrites.find(({ id, type }) => type === OverwriteType.Member && id === holder.userId);
  if (own !== undefined) result = (result & ~BigInt(own.deny)) | BigInt(own.allow);
  // ADMINISTRATOR is a guild's: an overwrite cannot give it.
  result &= ~P.Administrator;
  if ((result & P.ViewChannel) === 0n) return 0n;
  if (isVoice && (result & P.Connect) === 0n) return result & P.ViewChannel;
  if ((result & P.SendMessages) === 0n) result &= ~SENDING;
  return result;
}

/** Whether all of some permissions are held. */
export const holds = (held: bigint, needed: bigint): boolean => (held & needed) === needed;

/** The bits of named permissions. */
export const bitsOf = (names: readonly PermissionName[]): bigint => names.reduce((all, name) => all | P[name], 0n);
