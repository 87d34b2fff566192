/**
 * zod schemas of everything on the wire. Needs the optional peer `zod`. The types are written by hand in
 * `@guildkit/core/wire`; a type test keeps both equal.
 *
 * @packageDocumentation
 */
import * as z from 'zod/mini';

const id = z.string().check(z.minLength(1), z.maxLength(64));
const snowflake = z.string().check(z.regex(/^[0-9]{1,20}$/));
const room = z.string().check(z.minLength(1), z.maxLength(160));
const unixMs = z.number().check(z.gte(0));
const seq = z.int().check(z.gte(0));

/** A place in a room's log. */
export const positionSchema = z.object({ epoch: z.string().check(z.minLength(1), z.maxLength(64)), seq });

/** Server → client. */
export const envelopeSchema = z.object({
  v: z.literal(1),
  type: z.enum(['event', 'ack', 'error']),
  event: z.string(),
  payload: z.unknown(),
  ts: unixMs,
  room: z.optional(room),
  seq: z.optional(seq),
  id: z.optional(z.string()),
  re: z.optional(z.string()),
  traceId: z.optional(z.string()),
});

const commandFrame = z.object({
  v: z.literal(1),
  type: z.literal('command'),
  id,
  payload: z.object({ name: z.string().check(z.minLength(1), z.maxLength(64)), input: z.unknown() }),
});
const pongFrame = z.object({
  v: z.literal(1),
  type: z.literal('pong'),
  id,
  payload: z.object({
    seqs: z.optional(z.record(room, seq)),
    connectionId: z.optional(z.string().check(z.minLength(1), z.maxLength(64))),
    cursor: z.optional(z.string().check(z.maxLength(16_384))),
  }),
});

/** What `POST /api/commands` takes. */
export const postedFrameSchema = z.discriminatedUnion('type', [commandFrame, pongFrame]);

/** Client → server. */
export const clientFrameSchema = z.discriminatedUnion('type', [
  z.object({
    v: z.literal(1),
    type: z.literal('auth'),
    id,
    payload: z.object({ token: z.string().check(z.minLength(1), z.maxLength(8192)) }),
  }),
  z.object({
    v: z.literal(1),
    type: z.literal('subscribe'),
    id,
    payload: z.object({ room, since: z.optional(positionSchema) }),
  }),
  z.object({ v: z.literal(1), type: z.literal('unsubscribe'), id, payload: z.object({ room }) }),
  commandFrame,
  pongFrame,
]);

const voiceFlags = { mute: z.boolean(), deaf: z.boolean(), video: z.boolean() };
const person = { userId: z.string(), username: z.string(), avatar: z.nullable(z.string()) };
const voicePresence = z.object({
  guildId: snowflake,
  channelId: snowflake,
  ...person,
  ...voiceFlags,
  timestamp: unixMs,
});

/** State of a `channel:<id>` room. */
export const voiceRoomSnapshotSchema = z.object({
  kind: z.literal('voice'),
  channelId: snowflake,
  members: z.array(z.object({ ...person, ...voiceFlags, joinedAt: unixMs })),
  state: z.enum(['open', 'deleted']),
  stale: z.boolean(),
});

/** State of any room. */
export const roomSnapshotSchema = z.discriminatedUnion('kind', [
  voiceRoomSnapshotSchema,
  z.object({
    kind: z.literal('guild'),
    guildId: snowflake,
    channels: z.array(z.object({ channelId: snowflake, name: z.string() })),
  }),
  z.object({ kind: z.literal('none') }),
]);

const inChannel = { guildId: z.nullable(snowflake), channelId: snowflake, messageId: snowflake };
const chatMessage = z.object({ ...inChannel, ...person, content: z.string(), timestamp: unixMs });
const reaction = z.object({ ...inChannel, userId: snowflake, emoji: z.string() });

/** Payloads of room events by name. */
export const roomEventSchemas = {
  'voice.joined': voicePresence,
  'voice.updated': voicePresence,
  'voice.left': z.object({
    guildId: snowflake,
    channelId: z.nullable(snowflake),
    ...person,
    timestamp: unixMs,
  }),
  'voice.snapshot': z.object({ snapshot: voiceRoomSnapshotSchema }),
  'room.created': z.object({ channelId: snowflake, name: z.string(), guildId: snowflake }),
  'room.deleted': z.object({ channelId: snowflake, guildId: snowflake }),
  'room.closing': z.object({ channelId: snowflake, guildId: snowflake, closesAt: unixMs }),
  'message.created': chatMessage,
  'message.updated': chatMessage,
  'message.deleted': z.object(inChannel),
  'reaction.added': reaction,
  'reaction.removed': reaction,
  'typing.started': z.object({
    guildId: z.nullable(snowflake),
    channelId: snowflake,
    userId: snowflake,
    timestamp: unixMs,
  }),
} as const;

/** Payloads of acks by the type of the client's frame. */
export const ackSchemas = {
  auth: z.object({ userId: z.string(), expiresAt: z.nullable(unixMs) }),
  command: z.object({ result: z.optional(z.unknown()), latencyMs: z.number().check(z.gte(0)) }),
  subscribe: z.object({
    epoch: z.string(),
    seq,
    room,
    recovered: z.boolean(),
    snapshot: z.optional(z.unknown()),
  }),
} as const;

/** Payload of an `error` frame. */
export const errorPayloadSchema = z.object({
  code: z.string(),
  message: z.string(),
  retryAfterMs: z.optional(z.number().check(z.gte(0))),
  fields: z.optional(z.array(z.object({ path: z.string(), message: z.string() }))),
});

/** Body of every HTTP answer that refuses. */
export const httpErrorBodySchema = z.object({
  error: z.extend(errorPayloadSchema, { requestId: z.string() }),
});

/** Contents of media frames of kind `control`. */
export const mediaControlSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('auth'), token: z.string().check(z.minLength(1), z.maxLength(8192)) }),
  z.object({
    type: z.literal('ready'),
    maxFrameBytes: z.number(),
    maxBitsPerSecond: z.number(),
    maxFramesPerSecond: z.number(),
  }),
  z.object({ type: z.literal('stream'), stream: seq, userId: z.string(), kind: z.enum(['audio', 'video']) }),
  z.object({ type: z.literal('streamEnded'), stream: seq }),
  z.object({ type: z.literal('dropped'), audio: seq, video: seq }),
]);

/** Payloads of control events by name. */
export const controlEventSchemas = {
  'sys.welcome': z.object({
    connectionId: z.string(),
    bootId: z.string(),
    heartbeatMs: z.number(),
    authTimeoutMs: z.number(),
    limits: z.object({
      maxFrameBytes: z.number(),
      maxSubscriptions: z.number(),
      maxFramesPerSecond: z.number(),
    }),
    retry: z.object({ maxAttempts: z.number(), baseMs: z.number(), capMs: z.number() }),
  }),
  'sys.snapshot': z.object({ epoch: z.string(), seq, room, snapshot: roomSnapshotSchema }),
  'sys.ping': z.object({}),
  'sys.reauth': z.object({ expiresAt: unixMs }),
  'sys.drain': z.object({ reconnectInMs: z.number() }),
  'sys.degraded': z.object({ degraded: z.boolean(), reason: z.string() }),
  'sys.unsubscribed': z.object({ room, code: z.string() }),
  'sys.viewers': z.object({ room, count: seq, userIds: z.array(z.string()) }),
  'sys.closed': z.object({ code: z.number(), cause: z.string(), retryAfterMs: z.optional(z.number()) }),
} as const;
