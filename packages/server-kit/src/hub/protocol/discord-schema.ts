/** Owns what a Discord event must look like before the hub acts on it: webhook and link bring it from outside. */
import { type DomainEvent, type DomainEventName, toLogText, toPlainText } from '@guildkit/core';
import * as z from 'zod/mini';

/** In UTF-16 units. */
const MAX_CONTENT = 4_000;

const snowflake = z.string().check(z.regex(/^[0-9]{1,20}$/));
const unixMs = z.number().check(z.gte(0));
/** A name that someone chose: one line, no controls, bounded (Discord: 32 for people, 100 for channels). */
const name = z.pipe(
  z.string(),
  z.transform((text: string) => toLogText(text, 128)),
);
/** What someone wrote: lines and tabs, no other controls, bounded (Discord: 4,000 with Nitro). */
const content = z.pipe(
  z.string().check(z.maxLength(65_536)),
  z.transform((text: string) => toPlainText(text.slice(0, MAX_CONTENT))),
);
const inChannel = { guildId: z.nullable(snowflake), channelId: snowflake };
const onMessage = { ...inChannel, messageId: snowflake };
const person = { userId: snowflake, username: name, avatar: z.nullable(z.string().check(z.maxLength(128))) };
const flags = { mute: z.boolean(), deaf: z.boolean(), video: z.boolean() };
const presence = { guildId: snowflake, channelId: snowflake, ...person, ...flags, timestamp: unixMs };
const frame = {
  id: z.string().check(z.minLength(1), z.maxLength(200)),
  traceId: z.string().check(z.maxLength(200)),
  ts: unixMs,
};

const schema = z.discriminatedUnion('event', [
  z.object({ event: z.enum(['voice.joined', 'voice.updated']), payload: z.object(presence), ...frame }),
  z.object({
    event: z.literal('voice.left'),
    payload: z.object({ guildId: snowflake, channelId: z.nullable(snowflake), ...person, timestamp: unixMs }),
    ...frame,
  }),
  z.object({
    event: z.literal('voice.moved'),
    payload: z.object({ ...presence, fromChannelId: snowflake }),
    ...frame,
  }),
  z.object({
    event: z.literal('channel.created'),
    payload: z.object({ channelId: snowflake, guildId: snowflake, name }),
    ...frame,
  }),
  z.object({
    event: z.literal('channel.deleted'),
    payload: z.object({ channelId: snowflake, guildId: snowflake }),
    ...frame,
  }),
  z.object({
    event: z.literal('voice.snapshot'),
    payload: z.object({
      guildId: snowflake,
      members: z.array(z.object({ channelId: snowflake, ...person, ...flags })),
      channels: z.array(z.object({ channelId: snowflake, name })),
      timestamp: unixMs,
    }),
    ...frame,
  }),
  z.object({
    event: z.enum(['message.created', 'message.updated']),
    payload: z.object({ ...onMessage, ...person, content, timestamp: unixMs }),
    ...frame,
  }),
  z.object({ event: z.literal('message.deleted'), payload: z.object(onMessage), ...frame }),
  z.object({
    event: z.enum(['reaction.added', 'reaction.removed']),
    payload: z.object({ ...onMessage, userId: snowflake, emoji: name }),
    ...frame,
  }),
  z.object({
    event: z.literal('typing.started'),
    payload: z.object({ ...inChannel, userId: snowflake, timestamp: unixMs }),
    ...frame,
  }),
]);

/** The Discord events that rooms are made of: all that are known. */
export type RoomDomainEvent = DomainEvent;

/** Those of chat: they go into the log of their channel as they are. */
export type ChatDomainEvent = DomainEvent<
  'message.created' | 'message.updated' | 'message.deleted' | 'reaction.added' | 'reaction.removed' | 'typing.started'
>;

/** Those of voice and channels. */
export type VoiceDomainEvent = DomainEvent<Exclude<DomainEventName, ChatDomainEvent['event']>>;

const CHAT = {
  'message.created': true,
  'message.updated': true,
  'message.deleted': true,
  'reaction.added': true,
  'reaction.removed': true,
  'typing.started': true,
} as const satisfies Record<ChatDomainEvent['event'], true>;

const VOICE = {
  'voice.joined': true,
  'voice.left': true,
  'voice.moved': true,
  'voice.updated': true,
  'voice.snapshot': true,
  'channel.created': true,
  'channel.deleted': true,
} as const satisfies Record<VoiceDomainEvent['event'], true>;

/** Whether an event is one of chat. */
export function isChatEvent(event: RoomDomainEvent): event is ChatDomainEvent {
  return Object.hasOwn(CHAT, event.event);
}

/** A Discord event as it was understood. */
export type ParsedDomainEvent =
  | { readonly kind: 'event'; readonly event: RoomDomainEvent }
  /** An event that no room is made of. */
  | { readonly kind: 'other' }
  | { readonly kind: 'invalid'; readonly problem: string };

/** Reads a Discord event; names in it are made safe to show. Never throws. */
export function parseDomainEvent(value: unknown): ParsedDomainEvent {
  const given = (value as { event?: unknown } | null | undefined)?.event;
  if (typeof given !== 'string') return { kind: 'invalid', problem: 'event' };
  if (!Object.hasOwn(CHAT, given) && !Object.hasOwn(VOICE, given)) return { kind: 'other' };
  const result = schema.safeParse(value);
  if (result.success) return { kind: 'event', event: result.data as RoomDomainEvent };
  return { kind: 'invalid', problem: result.error.issues[0]?.path.map(String).join('.') ?? '' };
}
