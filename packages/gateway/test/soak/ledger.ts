/** The books of a soak: which events came, which are accounted for, how long the client was without a connection. */
import type { GapEvent } from '@guildkit/gateway';
import type { ModelSession } from './model-discord.js';

interface OpenEntry {
  readonly n: number;
  readonly session: ModelSession | undefined;
  readonly seq: number;
}

/** One time without a connection. */
export interface Outage {
  readonly cause: string;
  /** From the fault, or from when Discord could be reached again if that was later, to ready. */
  readonly recoveryMs: number;
}

/** See the head of the file. */
export class Ledger {
  happened = 0;
  delivered = 0;
  /** In a session that was given up, or before the first. A new session was told. */
  coveredBySession = 0;
  /** In a range that a gap told as lost. */
  coveredByGap = 0;
  /** What must not be. */
  readonly wrong: string[] = [];
  readonly outages: Outage[] = [];
  unavailableMs = 0;
  /** Connected, while Discord could be reached. */
  connectedMs = 0;
  /** Discord could be reached, the client was not connected or did not know that it was not. */
  disconnectedMs = 0;
  cause = 'start';
  private waiting: OpenEntry[] = [];
  private gaps: { readonly sessionId: string; readonly from: number; readonly to: number }[] = [];
  private told: string | undefined;
  private since = 0;
  private clientReady = false;
  private available = true;
  private outage: { from: number; readonly cause: string } | undefined = { from: 0, cause: 'start' };

  constructor(
    private readonly now: () => number,
    private readonly isServing: () => boolean,
  ) {}

  noteHappened(n: number, session: ModelSession | undefined, seq: number): void {
    this.happened += 1;
    this.waiting.push({ n, session, seq });
  }

  noteDelivered(n: number): void {
    const at = this.waiting.findIndex((entry) => entry.n === n);
    const entry = this.waiting[at];
    if (entry === undefined) {
      this.fault(`event ${n} came twice or late`);
      return;
    }
    this.delivered += 1;
    if (entry.session?.id !== this.told) this.fault(`event ${n} came in a session that was not told`);
    for (const missing of this.waiting.slice(0, at)) this.cover(missing, entry.session);
    this.waiting = this.waiting.slice(at + 1);
  }

  /** READY. */
  noteSession(id: string): void {
    this.told = id;
    this.gaps = [];
  }

  noteGap({ expected, received, recovery }: GapEvent): void {
    // The other recoveries bring the events back, or a new session.
    if (recovery === 'none') this.gaps.push({ sessionId: this.told ?? '', from: expected, to: received - 1 });
  }

  /** What has happened is through: everything of the present session must have come. */
  expectAllAccounted(session: ModelSession | undefined): void {
    for (const entry of this.waiting) this.cover(entry, session);
    this.waiting = [];
  }

  fault(what: string): void {
    if (this.wrong.length < 20) this.wrong.push(`${what} (at ${Math.round(this.now() / 1_000)} s, ${this.cause})`);
  }

  /** Every change of the client's phase, of the connection, of Discord's availability comes through here. */
  update(change: { clientReady?: boolean; available?: boolean }): void {
    const now = this.now();
    const elapsed = now - this.since;
    const connected = this.outage === undefined;
    if (!this.available) this.unavailableMs += elapsed;
    else if (connected) this.connectedMs += elapsed;
    else this.disconnectedMs += elapsed;
    this.since = now;
    this.clientReady = change.clientReady ?? this.clientReady;
    const back = change.available === true && !this.available;
    this.available = change.available ?? this.available;

    const { outage } = this;
    if (outage !== undefined && back) outage.from = now;
    const isConnected = this.clientReady && this.isServing();
    if (outage === undefined && !isConnected) {
      this.outage = { from: now, cause: this.cause };
    } else if (outage !== undefined && isConnected) {
      this.outage = undefined;
      this.outages.push({ cause: outage.cause, recoveryMs: now - outage.from });
    }
  }

  private cover({ n, session, seq }: OpenEntry, present: ModelSession | undefined): void {
    if (session === undefined || session !== present) {
      this.coveredBySession += 1;
    } else if (this.gaps.some((gap) => gap.sessionId === session.id && gap.from <= seq && seq <= gap.to)) {
      this.coveredByGap += 1;
    } else {
      this.fault(`event ${n} was lost and nothing told it`);
    }
  }
}

/** The value below which `share` of the values are. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? 0;
}
