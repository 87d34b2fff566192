/** Owns how users appear to others (Discord docs, Gateway Events: Presence). Who has no presence is offline. */
import {
  type GatewayActivity,
  GatewayDispatchEvents,
  type GatewayPresenceUpdate,
  PresenceUpdateStatus,
} from 'discord-api-types/v10';
import { type WorldEvent, worldEvent } from './events.js';
import type { Guild, Presence, World } from './types.js';

/** Sets how a user appears, or that it is offline; nothing when it is the same already. */
export function setPresence(world: World, userId: string, presence: Presence | undefined): readonly WorldEvent[] {
  const before = world.presences.get(userId);
  if (JSON.stringify(before) === JSON.stringify(presence)) return [];
  if (presence === undefined) world.presences.delete(userId);
  else world.presences.set(userId, presence);
  const events: WorldEvent[] = [];
  for (const guild of world.guilds.values()) {
    if (!guild.members.has(userId)) continue;
    // A bot is not told of itself.
    const botIds = [...world.bots.values()].flatMap((bot) =>
      bot.guildIds.has(guild.id) && bot.id !== userId ? [bot.id] : [],
    );
    const data = presenceOf(world, guild, userId) ?? offline(guild, userId);
    events.push({ ...worldEvent(GatewayDispatchEvents.PresenceUpdate, guild.id, data), botIds });
  }
  return events;
}

/** A member's presence; `undefined` when offline. */
export function presenceOf(world: World, guild: Guild, userId: string): GatewayPresenceUpdate | undefined {
  const presence = world.presences.get(userId);
  if (presence === undefined) return undefined;
  const { status, activities } = presence;
  return {
    user: { id: userId },
    guild_id: guild.id,
    status: PRESENCE_STATUS[status],
    activities: activities.map((activity) => ({ ...activity, id: 'custom', created_at: 0 }) as GatewayActivity),
    client_status: world.bots.has(userId) ? { web: PRESENCE_STATUS[status] } : { desktop: PRESENCE_STATUS[status] },
  };
}

/** Everyone of a guild who is not offline. */
export function presencesOf(world: World, guild: Guild): GatewayPresenceUpdate[] {
  const all: GatewayPresenceUpdate[] = [];
  for (const userId of world.presences.keys()) {
    const presence = guild.members.has(userId) ? presenceOf(world, guild, userId) : undefined;
    if (presence !== undefined) all.push(presence);
  }
  return all;
}

const PRESENCE_STATUS = {
  online: PresenceUpdateStatus.Online,
  idle: PresenceUpdateStatus.Idle,
  dnd: PresenceUpdateStatus.DoNotDisturb,
} as const;

const offline = (guild: Guild, userId: string): GatewayPresenceUpdate => ({
  user: { id: userId },
  guild_id: guild.id,
  status: PresenceUpdateStatus.Offline,
  activities: [],
  client_status: {},
});
