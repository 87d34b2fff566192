/** Owns the message methods: sending, editing, deleting, reactions, typing. */
import { type APIMessage, Routes } from 'discord-api-types/v10';
import * as z from 'zod';
import { parseId, parseInput, snowflake } from '../input.js';
import type { CallOptions, RequestFile } from '../options.js';
import { doneOnce, type MethodContext } from './context.js';

/** A message to send. Content, an embed, a file, a sticker or a component is needed. */
export interface MessageInput {
  /** At most 2000 characters. */
  readonly content?: string | undefined;
  /** At most 10, as Discord's API has them. */
  readonly embeds?: readonly object[] | undefined;
  /** As Discord's API has them. */
  readonly components?: readonly object[] | undefined;
  /** Id of the message this one answers. */
  readonly replyTo?: string | undefined;
  /** Whom the message may mention. @defaultValue nobody, as content often comes from people */
  readonly allowedMentions?: object | undefined;
  readonly stickerIds?: readonly string[] | undefined;
  /** Message flags, bits. */
  readonly flags?: number | undefined;
  readonly tts?: boolean | undefined;
  /** At most 25 characters; the same one within a few minutes gives the same message. @defaultValue a fresh one, so that a retry never posts twice */
  readonly nonce?: string | undefined;
  readonly files?: readonly RequestFile[] | undefined;
}

/** What is to change in a message; `null` takes a part away. */
export interface MessageEdit {
  readonly content?: string | null | undefined;
  readonly embeds?: readonly object[] | null | undefined;
  readonly components?: readonly object[] | null | undefined;
  readonly allowedMentions?: object | null | undefined;
  readonly flags?: number | null | undefined;
  readonly files?: readonly RequestFile[] | undefined;
}

/** Which messages to list. At most one of `before`, `after`, `around`. */
export interface MessageQuery {
  /** 1 to 100. @defaultValue `50` */
  readonly limit?: number | undefined;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  readonly around?: string | undefined;
}

const content = z.string().max(2_000, 'must be at most 2000 characters');
const objects = (max: number): z.ZodType<object[]> => z.array(z.looseObject({})).max(max);
const embeds = objects(10);
const components = objects(40);
const files = z.array(z.looseObject({ name: z.string().min(1) })).max(10, 'must be at most 10 files');
const message = z
  .strictObject({
    content: content.optional(),
    embeds: embeds.optional(),
    components: components.optional(),
    replyTo: snowflake.optional(),
    allowedMentions: z.looseObject({}).optional(),
    stickerIds: z.array(snowflake).max(3).optional(),
    flags: z.int().min(0).optional(),
    tts: z.boolean().optional(),
    nonce: z.string().min(1).max(25, 'must be at most 25 characters').optional(),
    files: files.optional(),
  })
  .refine(
    (one) =>
      [one.content, one.embeds, one.components, one.stickerIds, one.files].some((part) => (part?.length ?? 0) > 0),
    {
      message: 'must hold content, an embed, a component, a sticker or a file',
    },
  );
const messageEdit = z.strictObject({
  content: content.nullable().optional(),
  embeds: embeds.nullable().optional(),
  components: components.nullable().optional(),
  allowedMentions: z.looseObject({}).nullable().optional(),
  flags: z.int().min(0).nullable().optional(),
  files: files.optional(),
});
const messageQuery = z
  .strictObject({
    limit: z.int().min(1).max(100, 'must be from 1 to 100').optional(),
    before: snowflake.optional(),
    after: snowflake.optional(),
    around: snowflake.optional(),
  })
  .refine(({ before, after, around }) => [before, after, around].filter((id) => id !== undefined).length <= 1, {
    message: 'takes at most one of before, after, around',
  });
const bulk = z.array(snowflake).min(2, 'must be 2 to 100 messages').max(100, 'must be 2 to 100 messages');
/** A Unicode emoji, or `name:id` of a custom one. */
const emoji = z.string().min(1, 'must be an emoji or name:id').max(64, 'must be an emoji or name:id');

/** Discord's code of an unknown message. */
const UNKNOWN_MESSAGE = 10_008;
/** Nobody is mentioned: content that people wrote must not ping a guild. */
const NO_MENTIONS = { parse: [] };

export function sendMessage(
  context: MethodContext,
  channelId: unknown,
  input: unknown,
  options: CallOptions,
): Promise<APIMessage> {
  const given = typeof input === 'string' ? { content: input } : input;
  const {
    replyTo,
    allowedMentions = NO_MENTIONS,
    stickerIds,
    nonce = createNonce(),
    ...same
  } = parseInput(message, given);
  const { files: _, ...rest } = same;
  const body = {
    ...rest,
    message_reference: replyTo === undefined ? undefined : { message_id: replyTo },
    allowed_mentions: allowedMentions,
    sticker_ids: stickerIds,
    nonce,
    enforce_nonce: true,
  };
  return context.send('POST', Routes.channelMessages(parseId('channelId', channelId)), {
    ...options,
    body,
    files: filesOf(given),
  });
}

export function editMessage(
  context: MethodContext,
  channelId: unknown,
  messageId: unknown,
  edit: unknown,
  options: CallOptions,
): Promise<APIMessage> {
  const { allowedMentions, files: _, ...same } = parseInput(messageEdit, edit);
  return context.send('PATCH', messageRoute(channelId, messageId), {
    ...options,
    body: { ...same, allowed_mentions: allowedMentions },
    files: filesOf(edit),
  });
}

export function deleteMessage(
  context: MethodContext,
  channelId: unknown,
  messageId: unknown,
  options: CallOptions,
): Promise<void> {
  return doneOnce(context.send('DELETE', messageRoute(channelId, messageId), options), UNKNOWN_MESSAGE);
}

export function bulkDeleteMessages(
  context: MethodContext,
  channelId: unknown,
  messageIds: unknown,
  options: CallOptions,
): Promise<void> {
  const messages = parseInput(bulk, messageIds, 'messageIds');
  // Doing it twice deletes nothing more.
  const more = { body: { messages }, repeatable: true };
  return context.send('POST', Routes.channelBulkDelete(parseId('channelId', channelId)), { ...options, ...more });
}

export function getChannelMessages(
  context: MethodContext,
  channelId: unknown,
  query: unknown,
  options: CallOptions,
): Promise<APIMessage[]> {
  const route = Routes.channelMessages(parseId('channelId', channelId));
  return context.send('GET', route, { ...options, query: parseInput(messageQuery, query) });
}

export function createReaction(
  context: MethodContext,
  channelId: unknown,
  messageId: unknown,
  which: unknown,
  options: CallOptions,
): Promise<void> {
  return context.send('PUT', `${reactionRoute(channelId, messageId, which)}/@me`, options);
}

export function deleteReaction(
  context: MethodContext,
  channelId: unknown,
  messageId: unknown,
  which: unknown,
  userId: unknown,
  options: CallOptions,
): Promise<void> {
  const whose = userId === undefined ? '@me' : parseId('userId', userId);
  return context.send('DELETE', `${reactionRoute(channelId, messageId, which)}/${whose}`, options);
}

export function triggerTypingIndicator(
  context: MethodContext,
  channelId: unknown,
  options: CallOptions,
): Promise<void> {
  // Typing twice is typing.
  return context.send('POST', Routes.channelTyping(parseId('channelId', channelId)), { ...options, repeatable: true });
}

function messageRoute(channelId: unknown, messageId: unknown): string {
  return Routes.channelMessage(parseId('channelId', channelId), parseId('messageId', messageId));
}

function reactionRoute(channelId: unknown, messageId: unknown, which: unknown): string {
  return `${messageRoute(channelId, messageId)}/reactions/${encodeURIComponent(parseInput(emoji, which, 'emoji'))}`;
}

/** The files themselves: a copy that a schema made would hold every byte twice. */
function filesOf(input: unknown): readonly RequestFile[] | undefined {
  return (input as MessageInput).files;
}

/** Discord takes 25 characters; 25 hex digits are 100 random bits. */
function createNonce(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 25);
}
