/**
 * Owns making and unmaking a room in Discord: role, then channel; channel, then role. Whatever point it stops at, the role's
 * name says what is left, and `sweep` finishes or removes it.
 */
import { type Logger, messageOf } from '@guildkit/core';
import { takeInventory } from '../protocol/inventory.js';
import { type RoomRecord, roleName } from '../protocol/room.js';
import { type RoomOverwrite, type RoomRest, statusOf } from '../room-rest.js';
import { type Patience, patiently } from './patience.js';

/** What is to be made. */
export interface RoomPlan {
  readonly marker: string;
  readonly creatorId: string;
  readonly name: string;
  readonly parentId: string | undefined;
  readonly userLimit: number;
  /** The call may have been made before: look for its marker first. */
  readonly repeated: boolean;
}

/** What was made. */
export interface Built {
  readonly roleId: string;
  readonly channelId: string;
  readonly name: string;
  readonly userLimit: number;
}

/** What a builder needs. */
export interface BuilderOptions {
  readonly rest: RoomRest;
  readonly guildId: string;
  /** The bot's own user: it must see the channel that it hides from everyone. */
  readonly botUserId: string | undefined;
  /** Further roles that see every room: moderators, seats. */
  readonly staffRoleIds: readonly string[];
  readonly patience: Patience;
  readonly logger: Logger;
}

/** Discord docs, Permissions: VIEW_CHANNEL, CONNECT, SPEAK, STREAM, USE_VAD, SEND_MESSAGES, ADD_REACTIONS, READ_MESSAGE_HISTORY. */
const MEMBER =
  (1n << 10n) | (1n << 20n) | (1n << 21n) | (1n << 9n) | (1n << 25n) | (1n << 11n) | (1n << 6n) | (1n << 16n);
/** As members, and MANAGE_CHANNELS, MOVE_MEMBERS, MUTE_MEMBERS: what ends the room and brings people in. */
const BOT = MEMBER | (1n << 4n) | (1n << 24n) | (1n << 22n);
const HIDDEN = (1n << 10n) | (1n << 20n);

const REASON = { reason: 'room' };

/** Makes and unmakes rooms. */
export class RoomBuilder {
  constructor(private readonly options: BuilderOptions) {}

  /** Makes a room, or finds what an earlier call with the same marker made. What fails for good leaves nothing. */
  async build(plan: RoomPlan): Promise<Built> {
    try {
      return await patiently(this.options.patience, (attempt) => this.attempt(plan, plan.repeated || attempt > 0));
    } catch (error) {
      await this.undo(plan.marker);
      throw error;
    }
  }

  /** Removes channel and role, in this order: a role without a channel is known for ours, a channel without a role is not. */
  async demolish({ channelId, roleId, guildId }: Pick<RoomRecord, 'channelId' | 'roleId' | 'guildId'>): Promise<void> {
    await this.removeChannel(channelId);
    await this.removeRole(roleId, guildId);
  }

  /** Removes a channel; one that is gone is fine. */
  async removeChannel(channelId: string): Promise<void> {
    const { rest, patience } = this.options;
    await patiently(patience, () => goneIsFine(rest.deleteChannel(channelId, REASON)));
  }

  /** Removes a role; one that is gone is fine. */
  async removeRole(roleId: string, guildId: string): Promise<void> {
    const { rest, patience } = this.options;
    await patiently(patience, () => goneIsFine(rest.deleteGuildRole({ roleId, guildId }, REASON)));
  }

  /** What Discord has of rooms. */
  async inventory() {
    const { rest, guildId, patience } = this.options;
    const [roles, channels] = await patiently(patience, () =>
      Promise.all([rest.getGuildRoles(guildId), rest.getChannels(guildId)]),
    );
    return takeInventory(roles, channels);
  }

  private async attempt({ marker, creatorId, name, parentId, userLimit }: RoomPlan, look: boolean): Promise<Built> {
    const { rest, guildId } = this.options;
    const found = look ? await this.inventory() : undefined;
    const whole = found?.rooms.find((room) => room.marker === marker);
    if (whole !== undefined) return { ...whole, userLimit: whole.userLimit || userLimit };
    const roleId =
      found?.orphanRoles.find((role) => role.marker === marker)?.roleId ??
      (await rest.createGuildRole({ guildId, name: roleName({ marker, creatorId }), permissions: 0n }, REASON)).id;
    const permissionOverwrites = this.overwrites(roleId);
    const input = { name, guildId, userLimit, permissionOverwrites, ...(parentId === undefined ? {} : { parentId }) };
    const { id } = await rest.createVoiceChannel(input, REASON);
    return { roleId, channelId: id, name, userLimit };
  }

  private overwrites(roleId: string): readonly RoomOverwrite[] {
    const { guildId, botUserId, staffRoleIds } = this.options;
    return [
      // The role of everyone has the guild's id.
      { id: guildId, type: 'role', deny: HIDDEN },
      { id: roleId, type: 'role', allow: MEMBER },
      ...staffRoleIds.map((id) => ({ id, type: 'role' as const, allow: MEMBER })),
      ...(botUserId === undefined ? [] : [{ id: botUserId, type: 'member' as const, allow: BOT }]),
    ];
  }

  /** Best effort: what cannot be removed now is found by its marker later. */
  private async undo(marker: string): Promise<void> {
    const { guildId, logger } = this.options;
    try {
      const { rooms, orphanRoles, surplus } = await this.inventory();
      const whole = [...rooms, ...surplus].filter((room) => room.marker === marker);
      for (const { channelId, roleId } of whole) await this.demolish({ channelId, roleId, guildId });
      for (const { roleId } of orphanRoles.filter((role) => role.marker === marker)) {
        await this.removeRole(roleId, guildId);
      }
    } catch (error) {
      logger.warn({ marker, reason: messageOf(error) }, 'half a room is left until the next sweep');
    }
  }
}

/** Deleting what is gone is done. */
export async function goneIsFine(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
}
