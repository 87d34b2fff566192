/** Owns what stands between a bot and a handler: whether the guild or channel is there, can be seen, and what is allowed. */
import { channelPermissions, guildPermissions } from '../world/access.js';
import { bitsOf, holds } from '../world/permissions.js';
import { type ChannelPlace, dmOfBot } from '../world/places.js';
import type { Channel, Guild } from '../world/types.js';
import { findChannel, guildOfBot } from '../world/world.js';
import { missingAccess, missingPermissions, type Reply, unknown } from './reply.js';
import type { RestContext, Route } from './router.js';

/** Refuses what a bot may not do; `undefined` when nothing is in the way. */
export function guard(route: Route, context: RestContext): Reply | undefined {
  const { channelId, guildId } = context.params;
  if (route.auth !== 'bot') return undefined;
  const needed = bitsOf(route.needs ?? []);
  if (guildId !== undefined) {
    const guild = guildOfBot(context.world, context.bot, guildId);
    if (guild === undefined) return unknown('Guild');
    return holds(guildPermissions(guild, context.bot.id), needed) ? undefined : missingPermissions();
  }
  if (channelId === undefined) return undefined;
  const place = placeOf(context, channelId);
  if (place === undefined) return unknown('Channel');
  if (place.kind === 'dm') return undefined;
  const held = channelPermissions(place.guild, place.channel, context.bot.id);
  // Who sees nothing is told that they have no access, who sees it that a permission is missing.
  if (held === 0n) return missingAccess();
  return holds(held, needed) ? undefined : missingPermissions();
}

/** Finds a channel for the bot that asks. */
export function placeOf({ world, bot }: RestContext, channelId: string): ChannelPlace | undefined {
  const found = findChannel(world, channelId);
  if (found !== undefined) return bot.guildIds.has(found.guild.id) ? { kind: 'guild', ...found } : undefined;
  const channel = dmOfBot(world, bot, channelId);
  return channel === undefined ? undefined : { kind: 'dm', channel };
}

/** Calls a handler with the guild of the path. */
export function withGuild(handle: (context: RestContext, guild: Guild) => Reply): (context: RestContext) => Reply {
  return (context) => {
    const guild = guildOfBot(context.world, context.bot, context.params.guildId ?? '');
    return guild === undefined ? unknown('Guild') : handle(context, guild);
  };
}

/** Calls a handler with the guild channel of the path. */
export function withChannel(
  handle: (context: RestContext, guild: Guild, channel: Channel) => Reply,
): (context: RestContext) => Reply {
  return (context) => {
    const place = placeOf(context, context.params.channelId ?? '');
    return place?.kind === 'guild' ? handle(context, place.guild, place.channel) : unknown('Channel');
  };
}

/** Calls a handler with the channel of the path, a conversation too. */
export function withPlace(
  handle: (context: RestContext, place: ChannelPlace) => Reply,
): (context: RestContext) => Reply {
  return (context) => {
    const place = placeOf(context, context.params.channelId ?? '');
    return place === undefined ? unknown('Channel') : handle(context, place);
  };
}
