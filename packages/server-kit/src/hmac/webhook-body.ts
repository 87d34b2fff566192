/** Owns the body of a webhook: one Discord event with its place in the sender's order. */
import type { DomainEvent } from '@guildkit/core';
import * as z from 'zod/mini';

/** Where in the sender's order an event stands. */
export interface WebhookPosition {
  /** Names the sender's process. */
  readonly epoch: string;
  /** Counts by one; what was dropped or set aside leaves a hole. */
  readonly seq: number;
}

/** Asks for nothing but an answer: whether the receiver is there, and which process it is. */
export const PING_EVENT = 'hub.ping';

/** The header in which the receiver names its process. */
export const BOOT_HEADER = 'x-hub-boot';

const schema = z.object({
  id: z.string().check(z.minLength(1), z.maxLength(200)),
  event: z.string().check(z.minLength(1), z.maxLength(64)),
  payload: z.unknown(),
  ts: z.number().check(z.gte(0)),
  epoch: z.string().check(z.minLength(1), z.maxLength(64)),
  seq: z.int().check(z.gte(0)),
  traceId: z.string().check(z.maxLength(200)),
});

/** A webhook's body; what its payload holds is for whoever takes the event to check. */
export type WebhookBody = z.infer<typeof schema>;

/** Writes a body. */
export function writeBody({ id, event, payload, ts, traceId }: DomainEvent, { epoch, seq }: WebhookPosition): string {
  return JSON.stringify({ id, event, payload, ts, epoch, seq, traceId });
}

/** Writes the body of a ping. */
export function writePing(id: string, ts: number, { epoch, seq }: WebhookPosition): string {
  return JSON.stringify({ id, event: PING_EVENT, payload: {}, ts, epoch, seq, traceId: id });
}

/** Reads a body; `undefined` when it is none. */
export function readBody(bytes: Uint8Array): WebhookBody | undefined {
  try {
    const result = schema.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}
