/** Owns the frames of the link: what each side may send, and how it is read. Unknown keys are ignored. */
import type { DomainEvent } from '@guildkit/core';
import * as z from 'zod/mini';

const id = z.string().check(z.minLength(1), z.maxLength(200));
const seq = z.int().check(z.gte(0));
const ms = z.number().check(z.gte(0));
const v = z.literal(1);

const event = z.object({
  event: z.string().check(z.minLength(1), z.maxLength(64)),
  payload: z.unknown(),
  id,
  traceId: z.string().check(z.maxLength(200)),
  ts: ms,
});
const rateLimited = z.object({
  v,
  type: z.literal('rateLimited'),
  requestId: z.optional(id),
  retryAfterMs: ms,
  message: z.string().check(z.maxLength(500)),
});
const error = z.object({
  v,
  type: z.literal('error'),
  requestId: z.optional(id),
  code: z.string().check(z.maxLength(100)),
  /** Discord's, where it refused the command. */
  status: z.optional(z.int().check(z.gte(400), z.lte(499))),
  message: z.string().check(z.maxLength(500)),
});

const serverFrame = z.discriminatedUnion('type', [
  /** Answers `resume`: from here on every event follows. */
  z.object({
    v,
    type: z.literal('resume'),
    epoch: id,
    /** Where the sender's log stands; events up to it follow when recovered. */
    seq,
    recovered: z.boolean(),
    /** Commands of the client's pending ones that were seen. */
    known: z.array(id),
    snapshot: z.array(event),
  }),
  z.object({ v, type: z.literal('event'), seq, event }),
  z.object({ v, type: z.literal('result'), requestId: id, value: z.unknown() }),
  rateLimited,
  error,
  z.object({ v, type: z.literal('pong') }),
]);

const clientFrame = z.discriminatedUnion('type', [
  /** The first frame; later: asks for a snapshot. */
  z.object({
    v,
    type: z.literal('resume'),
    epoch: z.optional(id),
    seq: z.optional(seq),
    pending: z.array(id).check(z.maxLength(100_000)),
  }),
  z.object({
    v,
    type: z.literal('command'),
    requestId: id,
    traceId: z.string().check(z.maxLength(200)),
    sentAt: ms,
    name: z.string().check(z.minLength(1), z.maxLength(64)),
    input: z.unknown(),
    actor: z.optional(z.string().check(z.maxLength(200))),
  }),
  z.object({ v, type: z.literal('ping'), seq }),
]);

/** Gateway service → app. */
export type LinkServerFrame = z.infer<typeof serverFrame>;
/** App → gateway service. */
export type LinkClientFrame = z.infer<typeof clientFrame>;
/** A command as it travels. */
export type LinkCommandFrame = Extract<LinkClientFrame, { type: 'command' }>;

/** Reads a frame of the gateway service; `undefined` when it is none. Never throws. */
export function readServerFrame(text: string): LinkServerFrame | undefined {
  return read(serverFrame, text);
}

/** Reads a frame of the app; `undefined` when it is none. Never throws. */
export function readClientFrame(text: string): LinkClientFrame | undefined {
  return read(clientFrame, text);
}

/** An event as it travels; what its payload holds is for whoever takes it to check. */
export function toDomainEvent(carried: z.infer<typeof event>): DomainEvent {
  return carried as DomainEvent;
}

function read<T>(schema: z.ZodMiniType<T>, text: string): T | undefined {
  try {
    const result = schema.safeParse(JSON.parse(text));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}
