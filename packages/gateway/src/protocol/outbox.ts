/**
 * Owns what waits to be sent, and what left when: payloads in order, the one presence that is current, the limits of a
 * connection. Refuses phases and sockets: the session says when payloads may leave at all.
 */
import { freeAt, logged, payloadLimit, type SendLimit, type SendLog } from './send-limit.js';

/** The limits of sending. Times in ms. */
export interface OutboxRules {
  /** How long a payload may wait. */
  readonly sendTimeoutMs: number;
  /** How many may wait. */
  readonly maxQueuedSends: number;
  /** Frames of every kind that a connection takes. */
  readonly sendLimit: SendLimit;
  /** Presences that Discord takes, on whichever connection. */
  readonly presenceLimit: SendLimit;
  /** Beats that the server may ask for within the send limit's window, beside the regular ones. */
  readonly spareBeats: number;
}

/** A payload that waits. */
export interface WaitingSend {
  readonly id: number;
  readonly expiresAt: number;
}

/** What waits, and what left. */
export interface Outbox {
  /** The oldest first, and so the first to expire. */
  readonly queue: readonly WaitingSend[];
  /** Only the latest presence matters: an earlier one that still waits gives way to it. */
  readonly presence: WaitingSend | undefined;
  /** Frames of every kind on this socket. */
  readonly sent: SendLog;
  /** Presences, IDENTIFY's included, on this socket and those before. */
  readonly presences: SendLog;
}

/** Nothing waits, nothing left. */
export const EMPTY_OUTBOX: Outbox = { queue: [], presence: undefined, sent: [], presences: [] };

/** What becomes of a payload that is handed in. */
export type Posted =
  | { readonly box: Outbox; readonly refused: false; readonly superseded: number | undefined }
  | { readonly refused: true };

/** Takes a payload in. */
export function post(rules: OutboxRules, box: Outbox, send: { id: number; presence: boolean; now: number }): Posted {
  const waiting: WaitingSend = { id: send.id, expiresAt: send.now + rules.sendTimeoutMs };
  if (send.presence) return { box: { ...box, presence: waiting }, refused: false, superseded: box.presence?.id };
  if (box.queue.length >= rules.maxQueuedSends) return { refused: true };
  return { box: { ...box, queue: [...box.queue, waiting] }, refused: false, superseded: undefined };
}

/** Takes one back; the same outbox when it does not wait. */
export function withdraw(box: Outbox, id: number): Outbox {
  if (box.presence?.id === id) return { ...box, presence: undefined };
  const queue = box.queue.filter((waiting) => waiting.id !== id);
  return queue.length === box.queue.length ? box : { ...box, queue };
}

/** Takes out what has waited too long. */
export function expire(box: Outbox, now: number): { readonly box: Outbox; readonly ids: readonly number[] } {
  const isLate = ({ expiresAt }: WaitingSend): boolean => now >= expiresAt;
  const late = waitingIn(box).filter(isLate);
  if (late.length === 0) return { box, ids: [] };
  const presence = box.presence === undefined || isLate(box.presence) ? undefined : box.presence;
  const queue = box.queue.filter((waiting) => !isLate(waiting));
  return { box: { ...box, queue, presence }, ids: late.map(({ id }) => id) };
}

/** Takes out what may leave now: the presence first, for it cannot hold up the others, then the queue in order. */
export function release(
  rules: OutboxRules,
  before: Outbox,
  heartbeatMs: number,
  now: number,
): { readonly box: Outbox; readonly ids: readonly number[] } {
  const ids: number[] = [];
  let box = before;
  if (box.presence !== undefined && now >= presenceFreeAt(rules, box, heartbeatMs)) {
    ids.push(box.presence.id);
    const presences = logged(box.presences, rules.presenceLimit, now);
    box = { ...counted(rules, box, now), presence: undefined, presences };
  }
  let [next] = box.queue;
  while (next !== undefined && now >= payloadFreeAt(rules, box, heartbeatMs)) {
    ids.push(next.id);
    box = { ...counted(rules, box, now), queue: box.queue.slice(1) };
    [next] = box.queue;
  }
  return { box, ids };
}

/** Counts a frame of the session itself: those are not held back. */
export function counted(rules: OutboxRules, box: Outbox, now: number, presence = false): Outbox {
  const sent = logged(box.sent, rules.sendLimit, now);
  return presence ? { ...box, sent, presences: logged(box.presences, rules.presenceLimit, now) } : { ...box, sent };
}

/** Discord counts by connection (docs, Gateway: Rate Limiting); for presences that is not said, so they go on counting. */
export function onSocketGone(box: Outbox): Outbox {
  return box.sent.length === 0 ? box : { ...box, sent: [] };
}

/** Everything that waits. */
export function waitingIn({ queue, presence }: Outbox): readonly WaitingSend[] {
  return presence === undefined ? queue : [presence, ...queue];
}

/** The outbox with nothing that waits. */
export function emptied(box: Outbox): Outbox {
  return { ...box, queue: [], presence: undefined };
}

/**
 * When something has waited too long, or may leave.
 *
 * @param heartbeatMs The heartbeat's interval; `undefined` while payloads may not leave.
 */
export function outboxDeadline(rules: OutboxRules, box: Outbox, heartbeatMs: number | undefined): number {
  const { queue, presence } = box;
  let at = Number.POSITIVE_INFINITY;
  if (presence !== undefined) {
    at = presence.expiresAt;
    if (heartbeatMs !== undefined) at = Math.min(at, presenceFreeAt(rules, box, heartbeatMs));
  }
  const [oldest] = queue;
  if (oldest !== undefined) {
    at = Math.min(at, oldest.expiresAt);
    if (heartbeatMs !== undefined) at = Math.min(at, payloadFreeAt(rules, box, heartbeatMs));
  }
  return at;
}

function payloadFreeAt({ sendLimit, spareBeats }: OutboxRules, { sent }: Outbox, heartbeatMs: number): number {
  return freeAt(sent, sendLimit.windowMs, payloadLimit(sendLimit, heartbeatMs, spareBeats));
}

function presenceFreeAt(rules: OutboxRules, box: Outbox, heartbeatMs: number): number {
  const { limit, windowMs } = rules.presenceLimit;
  return Math.max(freeAt(box.presences, windowMs, limit), payloadFreeAt(rules, box, heartbeatMs));
}
