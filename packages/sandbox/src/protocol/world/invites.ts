/** Owns invites: creating them, ending them, and whether they still hold. */
import { GatewayDispatchEvents } from 'discord-api-types/v10';
import { inviteCreatePayload } from '../payloads/invite.js';
import { randomText } from '../random.js';
import { type WorldEvent, worldEvent } from './events.js';
import type { Channel, Guild, Invite, World } from './types.js';

/** Invites of one guild at most (Discord error 30016). */
export const MAX_INVITES = 1_000;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const CODE_CHARS = 8;

/** What an invite is to be. */
export interface InviteInput {
  readonly inviterId: string;
  readonly maxAge: number;
  readonly maxUses: number;
  readonly temporary: boolean;
  readonly unique: boolean;
  readonly now: number;
  /** ISO 8601 of a time in unix ms. */
  stamp(at: number): string;
}

/** Makes an invite to a channel; a like one is given again unless it must be unique. */
export function createInvite(
  world: World,
  guild: Guild,
  channel: Channel,
  input: InviteInput,
): { readonly invite: Invite; readonly events: readonly WorldEvent[] } {
  if (!input.unique) {
    for (const invite of guild.invites.values()) {
      const { channelId, inviterId, maxAge, maxUses, temporary } = invite;
      const alike =
        channelId === channel.id &&
        inviterId === input.inviterId &&
        maxAge === input.maxAge &&
        maxUses === input.maxUses &&
        temporary === input.temporary;
      if (alike && holdsStill(invite, input.now)) return { invite, events: [] };
    }
  }
  const invite: Invite = {
    code: randomText(world.random, CODE_CHARS, ALPHABET),
    channelId: channel.id,
    inviterId: input.inviterId,
    maxAge: input.maxAge,
    maxUses: input.maxUses,
    uses: 0,
    temporary: input.temporary,
    createdAt: input.now,
    createdStamp: input.stamp(input.now),
    expiresStamp: input.maxAge === 0 ? null : input.stamp(input.now + input.maxAge * 1000),
  };
  guild.invites.set(invite.code, invite);
  const data = inviteCreatePayload(world, guild, invite);
  return { invite, events: [worldEvent(GatewayDispatchEvents.InviteCreate, guild.id, data)] };
}

/** Counts a use; an invite that is used up ends without a dispatch, as one that is too old. */
export function applyInvite(guild: Guild, invite: Invite): void {
  invite.uses += 1;
  if (invite.maxUses !== 0 && invite.uses >= invite.maxUses) guild.invites.delete(invite.code);
}

/** Ends an invite. */
export function deleteInvite(guild: Guild, invite: Invite): readonly WorldEvent[] {
  guild.invites.delete(invite.code);
  const data = { code: invite.code, channel_id: invite.channelId, guild_id: guild.id };
  return [worldEvent(GatewayDispatchEvents.InviteDelete, guild.id, data)];
}

/** An invite that still holds, with its guild and channel. */
export function findInvite(
  world: World,
  code: string,
  now: number,
): { guild: Guild; channel: Channel; invite: Invite } | undefined {
  for (const guild of world.guilds.values()) {
    const invite = guild.invites.get(code);
    const channel = invite === undefined ? undefined : guild.channels.get(invite.channelId);
    if (invite === undefined || channel === undefined || !holdsStill(invite, now)) continue;
    return { guild, channel, invite };
  }
  return undefined;
}

/** Whether an invite is neither used up nor too old. */
export function holdsStill({ maxAge, maxUses, uses, createdAt }: Invite, now: number): boolean {
  return (maxAge === 0 || now < createdAt + maxAge * 1000) && (maxUses === 0 || uses < maxUses);
}
