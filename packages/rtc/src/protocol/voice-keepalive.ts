/**
 * Owns the UDP keepalive of a ready connection: when to send, what was lost, how long an answer took, when the path is in
 * doubt. Refuses datagrams; their layout is in `udp-datagrams.ts`.
 */

/** Limits of the keepalive. Times in ms. */
export interface KeepaliveRules {
  /** Between two keepalives: well under the 30 s that NAT bindings last at least in practice (RFC 4787 asks for 120 s). */
  readonly keepaliveMs: number;
  /** Unanswered in a row, with nothing else heard, before the path is probed. */
  readonly keepaliveMisses: number;
  /** How long a probe may take: then the path is dead. */
  readonly probeTimeoutMs: number;
}

/** The keepalive of one UDP path. */
export interface Keepalive {
  readonly nextAt: number;
  readonly seq: number;
  /** The one that is out. */
  readonly pending: { readonly seq: number; readonly at: number } | undefined;
  /** Unanswered in a row. */
  readonly missed: number;
  /** A server that never answered is not called dead for it. */
  readonly answers: boolean;
  readonly sent: number;
  readonly answered: number;
  readonly lost: number;
  /** Smoothed as RFC 6298 section 2 does. */
  readonly roundTripMs: number | undefined;
}

/** The first is due at once: it opens the NAT's way back. */
export function newKeepalive(now: number): Keepalive {
  return {
    nextAt: now,
    seq: 0,
    pending: undefined,
    missed: 0,
    answers: false,
    sent: 0,
    answered: 0,
    lost: 0,
    roundTripMs: undefined,
  };
}

/** Sends the next one, counts the last one lost when it had no answer. */
export function beat(rules: KeepaliveRules, keepalive: Keepalive, now: number): Keepalive {
  const missing = keepalive.pending === undefined ? 0 : 1;
  const seq = (keepalive.seq + 1) % 2 ** 32;
  return {
    ...keepalive,
    nextAt: now + rules.keepaliveMs,
    seq,
    pending: { seq, at: now },
    missed: keepalive.missed + missing,
    lost: keepalive.lost + missing,
    sent: keepalive.sent + 1,
  };
}

/** Takes an answer; one that is late or made up changes nothing. */
export function answered(keepalive: Keepalive, seq: number, now: number): Keepalive {
  const { pending, roundTripMs } = keepalive;
  if (pending === undefined || pending.seq !== seq) return keepalive;
  const tookMs = now - pending.at;
  return {
    ...keepalive,
    pending: undefined,
    missed: 0,
    answers: true,
    answered: keepalive.answered + 1,
    roundTripMs: roundTripMs === undefined ? tookMs : roundTripMs + (tookMs - roundTripMs) / 8,
  };
}

/** Something else came from the server: the path is alive. */
export function heard(keepalive: Keepalive): Keepalive {
  return keepalive.missed === 0 ? keepalive : { ...keepalive, missed: 0 };
}

/** Whether the path is in doubt. */
export function isDoubtful(rules: KeepaliveRules, keepalive: Keepalive): boolean {
  return keepalive.answers && keepalive.missed >= rules.keepaliveMisses;
}
