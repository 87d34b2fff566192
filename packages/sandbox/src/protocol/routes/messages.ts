/** Owns the routes about messages and typing. */
import { GatewayDispatchEvents, GatewayIntentBits, PermissionFlagsBits as P } from 'discord-api-types/v10';
import type * as z from 'zod';
import { memberPayload } from '../payloads/guild.js';
import { messagePayload, withheld } from '../payloads/message.js';
import { form, integer, list, readForm, snowflake } from '../rest/form.js';
import { withPlace } from '../rest/guard.js';
import {
  done,
  failure,
  invalidField,
  invalidForm,
  missingPermissions,
  ok,
  type Reply,
  unknown,
} from '../rest/reply.js';
import type { RestContext, Route } from '../rest/router.js';
import { isTextChannel } from '../world/channels.js';
import {
  deleteMessage,
  deleteMessages,
  editMessage,
  listMessages,
  type Moment,
  mayHere,
  postMessage,
  sentWithNonce,
} from '../world/messages.js';
import { type ChannelPlace, eventIn, guildIdOf } from '../world/places.js';
import type { Message } from '../world/types.js';
import { findChannel, userOf } from '../world/world.js';
import { creation, edition, emptyMessage, keepFiles, readMessage, unknownAttachment } from './message-form.js';

const READ = { limit: 5, windowMs: 5_000 } as const;
const SEND = { limit: 5, windowMs: 5_000 } as const;
const DELETE = { limit: 5, windowMs: 1_000 } as const;
/** Old messages, and such that were sent a moment ago, are counted by themselves. */
const DELETE_OLD = { limit: 30, windowMs: 120_000 } as const;
const DELETE_NEW = { limit: 3, windowMs: 1_000 } as const;
const NEW_MS = 10_000;
/** All bots together in one channel. */
const SEND_SHARED = { limit: 50, windowMs: 10_000 } as const;

/** Bulk delete takes messages of two weeks. */
const BULK_AGE_MS = 14 * 24 * 3_600_000;
const MAX_BULK = 100;

const page = form({
  limit: integer(1, 100).default(50),
  before: snowflake().optional(),
  after: snowflake().optional(),
  around: snowflake().optional(),
});
const bulk = form({ messages: list(snowflake(), 1000) });

export const messageRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/channels/:channelId/messages',
    summary: 'Messages, newest first: `limit`, `before`, `after`, `around`',
    auth: 'bot',
    limit: READ,
    needs: ['ViewChannel'],
    handle: withPlace((context, place) => {
      const read = readForm(page, context.query);
      if (!read.ok) return invalidForm(read.problems);
      const { before, after, around } = read.value;
      if ([before, after, around].filter((it) => it !== undefined).length > 1) {
        return invalidField(['before'], 'MUTUALLY_EXCLUSIVE', 'before, after and around are mutually exclusive.');
      }
      if (!isTextPlace(place)) return notText();
      // Without READ_MESSAGE_HISTORY there is nothing to be seen, and no error (Discord docs: Get Channel Messages).
      if (mayHere(place, context.bot.id, P.ReadMessageHistory) !== undefined) return ok([]);
      return ok(listMessages(place, read.value).map((message) => show(context, place, message)));
    }),
  },
  {
    method: 'GET',
    path: '/channels/:channelId/messages/:messageId',
    summary: 'A message',
    auth: 'bot',
    limit: { limit: 30, windowMs: 10_000 },
    needs: ['ViewChannel', 'ReadMessageHistory'],
    handle: withMessage((context, place, message) => ok(show(context, place, message))),
  },
  {
    method: 'POST',
    path: '/channels/:channelId/messages',
    summary: 'Send a message: text, embeds, files, answers, `allowed_mentions`, `nonce` with `enforce_nonce`',
    auth: 'bot',
    limit: SEND,
    needs: ['ViewChannel', 'SendMessages'],
    takes: 'files',
    sublimits: [{ name: 'send', rule: SEND_SHARED, scope: 'shared', key: () => '' }],
    handle: withPlace(send),
  },
  {
    method: 'PATCH',
    path: '/channels/:channelId/messages/:messageId',
    summary: 'Edit a message of one’s own; flags of others',
    auth: 'bot',
    limit: SEND,
    needs: ['ViewChannel'],
    takes: 'files',
    handle: withMessage(edit),
  },
  {
    method: 'DELETE',
    path: '/channels/:channelId/messages/:messageId',
    summary: 'Delete a message',
    auth: 'bot',
    limit: DELETE,
    bucketOf: ({ world, params, now }) => {
      const holder = world.dms.get(params.channelId ?? '') ?? findChannel(world, params.channelId ?? '')?.channel;
      const sentAt = holder?.messages.get(params.messageId ?? '')?.sentAt;
      if (sentAt === undefined) return undefined;
      if (now - sentAt > BULK_AGE_MS) return { name: 'DELETE old message', rule: DELETE_OLD };
      return now - sentAt < NEW_MS ? { name: 'DELETE new message', rule: DELETE_NEW } : undefined;
    },
    needs: ['ViewChannel'],
    handle: withMessage((context, place, message) => {
      if (message.authorId !== context.bot.id) {
        // In a conversation nobody deletes what the other said.
        if (place.kind === 'dm') return failure(403, 50003, 'Cannot execute action on a DM channel');
        if (mayHere(place, context.bot.id, P.ManageMessages) !== undefined) return missingPermissions();
      }
      return done(deleteMessage(context.world, place, message));
    }),
  },
  {
    method: 'POST',
    path: '/channels/:channelId/messages/bulk-delete',
    summary: 'Delete 2 to 100 messages that are younger than two weeks',
    auth: 'bot',
    limit: { limit: 1, windowMs: 3_000 },
    needs: ['ViewChannel', 'ManageMessages'],
    handle: withPlace((context, place) => {
      if (place.kind === 'dm') return failure(403, 50003, 'Cannot execute action on a DM channel');
      const read = readForm(bulk, context.body);
      if (!read.ok) return invalidForm(read.problems);
      const ids = [...new Set(read.value.messages)];
      if (read.value.messages.length < 2 || read.value.messages.length > MAX_BULK) {
        return failure(
          400,
          50016,
          'Provided too few or too many messages to delete. Must provide at least 2 and fewer than 100 messages to delete',
        );
      }
      const tooOld = ids.some((id) => {
        const sentAt = place.channel.messages.get(id)?.sentAt;
        return sentAt !== undefined && context.now - sentAt > BULK_AGE_MS;
      });
      if (tooOld) return failure(400, 50034, 'You can only bulk delete messages that are under 14 days old.');
      return done(deleteMessages(context.world, place, ids));
    }),
  },
  {
    method: 'POST',
    path: '/channels/:channelId/typing',
    summary: 'Show that the bot is typing',
    auth: 'bot',
    limit: { limit: 5, windowMs: 5_000 },
    needs: ['ViewChannel', 'SendMessages'],
    handle: withPlace((context, place) =>
      isTextPlace(place) ? done([typingEvent(context, place, context.bot.id)]) : notText(),
    ),
  },
];

/** Calls a handler with the channel and message of the path. */
export function withMessage(
  handle: (context: RestContext, place: ChannelPlace, message: Message) => Reply,
): (context: RestContext) => Reply {
  return withPlace((context, place) => {
    const message = place.channel.messages.get(context.params.messageId ?? '');
    return message === undefined ? unknown('Message') : handle(context, place, message);
  });
}

/** The moment of a request. */
export const momentOf = ({ now, services }: RestContext): Moment => ({ now, stamp: services.stamp(now) });

/** TYPING_START of a user. */
export function typingEvent(
  { world, now }: Pick<RestContext, 'world' | 'now'>,
  place: ChannelPlace,
  userId: string,
): ReturnType<typeof eventIn> {
  const member = place.kind === 'guild' ? place.guild.members.get(userId) : undefined;
  return eventIn(world, place, GatewayDispatchEvents.TypingStart, {
    channel_id: place.channel.id,
    user_id: userId,
    timestamp: Math.floor(now / 1000),
    ...guildIdOf(place),
    ...(member === undefined ? {} : { member: memberPayload(member, userOf(world, userId)) }),
  });
}

function send(context: RestContext, place: ChannelPlace): Reply {
  if (!isTextPlace(place)) return notText();
  const { world, bot, files } = context;
  const read = readMessage(creation, context);
  if ('reply' in read) return read.reply;
  const { form: input, parts } = read;
  const lost = unknownAttachment(context, input.attachments);
  if (lost !== undefined) return lost;
  if (!parts.content && !parts.embeds?.length && files.length === 0) return emptyMessage();
  const lacks = (needed: bigint): boolean => mayHere(place, bot.id, needed) !== undefined;
  if (files.length > 0 && lacks(P.AttachFiles)) return missingPermissions();
  let replyTo: Message | undefined;
  if (input.message_reference != null) {
    if (lacks(P.ReadMessageHistory)) {
      return failure(400, 160_002, 'Cannot reply without permission to read message history');
    }
    replyTo = place.channel.messages.get(input.message_reference.message_id);
    if (replyTo === undefined && input.message_reference.fail_if_not_exists !== false) {
      return invalidField(['message_reference'], 'REPLIES_UNKNOWN_MESSAGE', 'Unknown message');
    }
  }
  const nonce = input.nonce ?? undefined;
  if (input.enforce_nonce === true && nonce !== undefined) {
    const former = sentWithNonce(place, bot.id, nonce, context.now);
    if (former !== undefined) return ok(show(context, place, former));
  }
  const { message, events } = postMessage(
    world,
    place,
    { id: bot.id },
    {
      content: parts.content ?? '',
      tts: input.tts === true && !lacks(P.SendTTSMessages),
      embeds: lacks(P.EmbedLinks) ? [] : parts.embeds,
      attachments: keepFiles(context, input.attachments),
      flags: parts.flags,
      nonce,
      replyTo,
      allowedMentions: parts.allowedMentions,
    },
    momentOf(context),
  );
  return ok(show(context, place, message), events);
}

function edit(context: RestContext, place: ChannelPlace, message: Message): Reply {
  const { world, bot } = context;
  const read = readMessage(edition, context);
  if ('reply' in read) return read.reply;
  const { form: input, parts } = read;
  if (message.authorId !== bot.id) {
    const more = parts.content !== undefined || parts.embeds !== undefined || input.attachments != null;
    if (more || parts.flags === undefined) return failure(403, 50005, 'Cannot edit a message authored by another user');
    if (mayHere(place, bot.id, P.ManageMessages) !== undefined) return missingPermissions();
  }
  const kept = attachmentsAfter(context, message, input.attachments);
  const after = {
    content: parts.content ?? message.content,
    embeds: parts.embeds ?? message.embeds,
    attachments: kept ?? message.attachments,
  };
  if (after.content === '' && after.embeds.length === 0 && after.attachments.length === 0) return emptyMessage();
  const change = { ...parts, attachments: kept };
  const events = editMessage(world, place, message, change, momentOf(context));
  return ok(show(context, place, message), events);
}

/** What an edit leaves of the attachments: those it names, and its new files. `undefined`: all of them. */
export function attachmentsAfter(
  context: RestContext,
  message: Message,
  named: z.output<typeof edition>['attachments'],
): Message['attachments'] | undefined {
  const added = keepFiles(context, named);
  if (named === undefined) return added.length === 0 ? undefined : [...message.attachments, ...added];
  const ids = new Set((named ?? []).map(({ id }) => String(id)));
  return [...message.attachments.filter(({ id }) => ids.has(id)), ...added];
}

/** A message as this bot may read it. */
export function show({ world, bot }: RestContext, place: ChannelPlace, message: Message): unknown {
  const payload = messagePayload(world, place, message, bot.id);
  const mayRead =
    place.kind === 'dm' ||
    (bot.privilegedIntents & GatewayIntentBits.MessageContent) !== 0 ||
    message.authorId === bot.id ||
    message.mentions.includes(bot.id);
  return mayRead ? payload : withheld(payload);
}

const isTextPlace = (place: ChannelPlace): boolean => place.kind === 'dm' || isTextChannel(place.channel);

const notText = (): Reply => failure(400, 50008, 'Cannot send messages in a non-text channel');
