/** Owns reactions: who put which emoji under a message. The guild has no custom emoji, so an emoji is its own name. */
import { GatewayDispatchEvents, ReactionType } from 'discord-api-types/v10';
import { memberPayload } from '../payloads/guild.js';
import type { WorldEvent } from './events.js';
import { type ChannelPlace, eventIn, guildIdOf } from './places.js';
import type { Message, World } from './types.js';
import { userOf } from './world.js';

/** Different emoji under one message (Discord error 30010). */
export const MAX_REACTIONS = 20;

/** One emoji as Discord takes it: a pictograph with its modifiers and joiners, a flag, or a keycap. */
const EMOJI =
  /^(?:\p{Regional_Indicator}{2}|[0-9#*]\uFE0F?\u20E3|\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier})?(?:\u200D\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier})?)*(?:[\u{E0020}-\u{E007F}]+)?)$/u;
const MAX_EMOJI_CHARS = 40;

/** Whether a text is one emoji. */
export const isEmoji = (text: string): boolean => text.length <= MAX_EMOJI_CHARS && EMOJI.test(text);

/** Adds a reaction; nothing when it is there already. */
export function addReaction(
  world: World,
  place: ChannelPlace,
  message: Message,
  emoji: string,
  userId: string,
): readonly WorldEvent[] {
  let reaction = message.reactions.find((it) => it.emoji === emoji);
  if (reaction?.userIds.includes(userId) === true) return [];
  if (reaction === undefined) {
    reaction = { emoji, userIds: [] };
    message.reactions.push(reaction);
  }
  reaction.userIds.push(userId);
  const member = place.kind === 'guild' ? place.guild.members.get(userId) : undefined;
  return [
    eventIn(world, place, GatewayDispatchEvents.MessageReactionAdd, {
      ...about(place, message),
      user_id: userId,
      emoji: { id: null, name: emoji },
      burst: false,
      type: ReactionType.Normal,
      ...(message.webhook === null ? { message_author_id: message.authorId } : {}),
      ...(member === undefined ? {} : { member: memberPayload(member, userOf(world, userId)) }),
    }),
  ];
}

/** Takes a reaction away; nothing when it is not there. */
export function removeReaction(
  world: World,
  place: ChannelPlace,
  message: Message,
  emoji: string,
  userId: string,
): readonly WorldEvent[] {
  const reaction = message.reactions.find((it) => it.emoji === emoji);
  const at = reaction?.userIds.indexOf(userId) ?? -1;
  if (reaction === undefined || at === -1) return [];
  reaction.userIds.splice(at, 1);
  if (reaction.userIds.length === 0) message.reactions.splice(message.reactions.indexOf(reaction), 1);
  return [
    eventIn(world, place, GatewayDispatchEvents.MessageReactionRemove, {
      ...about(place, message),
      user_id: userId,
      emoji: { id: null, name: emoji },
      burst: false,
      type: ReactionType.Normal,
    }),
  ];
}

/** Takes all reactions away, or all with one emoji. */
export function clearReactions(
  world: World,
  place: ChannelPlace,
  message: Message,
  emoji?: string,
): readonly WorldEvent[] {
  if (emoji === undefined) {
    if (message.reactions.length === 0) return [];
    message.reactions.length = 0;
    return [eventIn(world, place, GatewayDispatchEvents.MessageReactionRemoveAll, about(place, message))];
  }
  const at = message.reactions.findIndex((it) => it.emoji === emoji);
  if (at === -1) return [];
  message.reactions.splice(at, 1);
  return [
    eventIn(world, place, GatewayDispatchEvents.MessageReactionRemoveEmoji, {
      ...about(place, message),
      emoji: { id: null, name: emoji },
    }),
  ];
}

const about = (place: ChannelPlace, message: Message) => ({
  channel_id: message.channelId,
  message_id: message.id,
  ...guildIdOf(place),
});
