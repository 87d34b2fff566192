/** Owns the routes about reactions. */
import { PermissionFlagsBits as P } from 'discord-api-types/v10';
import { userPayload } from '../payloads/guild.js';
import { form, integer, readForm, snowflake } from '../rest/form.js';
import { done, failure, invalidForm, missingPermissions, ok, type Reply, unknown } from '../rest/reply.js';
import type { RestContext, Route } from '../rest/router.js';
import { mayHere } from '../world/messages.js';
import type { ChannelPlace } from '../world/places.js';
import { addReaction, clearReactions, isEmoji, MAX_REACTIONS, removeReaction } from '../world/reactions.js';
import type { Message } from '../world/types.js';
import { userOf } from '../world/world.js';
import { withMessage } from './messages.js';

/** One reaction in a quarter of a second, adding and removing together. */
const REACT = { limit: 1, windowMs: 250 } as const;
const BUCKET = 'reactions';
const BASE = '/channels/:channelId/messages/:messageId/reactions';

const page = form({ limit: integer(1, 100).default(25), after: snowflake().default('0') });

export const reactionRoutes: readonly Route[] = [
  {
    method: 'PUT',
    path: `${BASE}/:emoji/@me`,
    summary: 'React with a Unicode emoji',
    auth: 'bot',
    limit: REACT,
    bucket: BUCKET,
    needs: ['ViewChannel', 'ReadMessageHistory'],
    handle: withEmoji((context, place, message, emoji) => {
      const isNew = !message.reactions.some((reaction) => reaction.emoji === emoji);
      if (isNew && mayHere(place, context.bot.id, P.AddReactions) !== undefined) return missingPermissions();
      if (isNew && message.reactions.length >= MAX_REACTIONS) {
        return failure(400, 30010, `Maximum number of reactions reached (${MAX_REACTIONS})`);
      }
      return done(addReaction(context.world, place, message, emoji, context.bot.id));
    }),
  },
  {
    method: 'DELETE',
    path: `${BASE}/:emoji/@me`,
    summary: 'Take back the bot’s own reaction',
    auth: 'bot',
    limit: REACT,
    bucket: BUCKET,
    needs: ['ViewChannel'],
    handle: withEmoji((context, place, message, emoji) =>
      done(removeReaction(context.world, place, message, emoji, context.bot.id)),
    ),
  },
  {
    method: 'DELETE',
    path: `${BASE}/:emoji/:userId`,
    summary: 'Remove someone’s reaction',
    auth: 'bot',
    limit: REACT,
    bucket: BUCKET,
    needs: ['ViewChannel', 'ManageMessages'],
    handle: withEmoji((context, place, message, emoji) => {
      const userId = context.params.userId ?? '';
      if (!context.world.users.has(userId)) return unknown('User');
      return done(removeReaction(context.world, place, message, emoji, userId));
    }),
  },
  {
    method: 'GET',
    path: `${BASE}/:emoji`,
    summary: 'Who reacted with an emoji, by pages',
    auth: 'bot',
    limit: { limit: 30, windowMs: 10_000 },
    needs: ['ViewChannel'],
    handle: withEmoji((context, _place, message, emoji) => {
      const read = readForm(page, context.query);
      if (!read.ok) return invalidForm(read.problems);
      const after = BigInt(read.value.after);
      const users = message.reactions.find((reaction) => reaction.emoji === emoji)?.userIds ?? [];
      const shown = [...users]
        .filter((id) => BigInt(id) > after)
        .sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1))
        .slice(0, read.value.limit);
      return ok(shown.map((id) => userPayload(userOf(context.world, id))));
    }),
  },
  {
    method: 'DELETE',
    path: BASE,
    summary: 'Remove all reactions',
    auth: 'bot',
    limit: REACT,
    bucket: BUCKET,
    needs: ['ViewChannel', 'ManageMessages'],
    handle: withMessage((context, place, message) => done(clearReactions(context.world, place, message))),
  },
  {
    method: 'DELETE',
    path: `${BASE}/:emoji`,
    summary: 'Remove all reactions with an emoji',
    auth: 'bot',
    limit: REACT,
    bucket: BUCKET,
    needs: ['ViewChannel', 'ManageMessages'],
    handle: withEmoji((context, place, message, emoji) => done(clearReactions(context.world, place, message, emoji))),
  },
];

function withEmoji(
  handle: (context: RestContext, place: ChannelPlace, message: Message, emoji: string) => Reply,
): (context: RestContext) => Reply {
  return withMessage((context, place, message) => {
    const emoji = context.params.emoji ?? '';
    return isEmoji(emoji) ? handle(context, place, message, emoji) : unknown('Emoji');
  });
}
