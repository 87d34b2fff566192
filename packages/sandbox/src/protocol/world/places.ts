/** Owns where messages are: guild channels and conversations, and who is told of what happens there. */
import { viewersOf } from './access.js';
import { type DispatchData, type DispatchName, type WorldEvent, worldEvent } from './events.js';
import type { Bot, Channel, DmChannel, Guild, World } from './types.js';

/** A channel that holds messages: of a guild, or a conversation. */
export type ChannelPlace =
  | { readonly kind: 'guild'; readonly guild: Guild; readonly channel: Channel }
  | { readonly kind: 'dm'; readonly channel: DmChannel };

/** `guild_id` where there is one. */
export const guildIdOf = (place: ChannelPlace): { guild_id?: string } =>
  place.kind === 'guild' ? { guild_id: place.guild.id } : {};

/** An event for the bots that see a channel. */
export function eventIn<Name extends DispatchName>(
  world: World,
  place: ChannelPlace,
  name: Name,
  data: DispatchData[Name],
  withoutContent?: WorldEvent<Name>['withoutContent'],
): WorldEvent<Name> {
  const botIds = place.kind === 'guild' ? viewersOf(world, place.guild, place.channel) : [place.channel.botId];
  return { ...worldEvent(name, place.kind === 'guild' ? place.guild.id : '', data), botIds, withoutContent };
}

/** A conversation of a bot. */
export function dmOfBot(world: World, bot: Bot, channelId: string): DmChannel | undefined {
  const dm = world.dms.get(channelId);
  return dm?.botId === bot.id ? dm : undefined;
}

/** The conversation of a bot with a user, opened when there is none. */
export function openDm(world: World, botId: string, userId: string): DmChannel {
  for (const dm of world.dms.values()) if (dm.botId === botId && dm.userId === userId) return dm;
  const dm: DmChannel = { id: world.ids.next(), botId, userId, lastMessageId: null, messages: new Map() };
  world.dms.set(dm.id, dm);
  return dm;
}
