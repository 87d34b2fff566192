/** Owns the record of what clients did: counters, and a bounded log without secrets. */

/** How often things happened since the sandbox began. */
export interface TrafficCounters {
  /** Gateway connections that were accepted. */
  gatewayConnections: number;
  /** Upgrades refused while `faults.down` held, or for their path or query. */
  gatewayRefusals: number;
  /** Gateway connections that are open now. */
  gatewayOpen: number;
  /** IDENTIFYs received, refused ones too. */
  identifies: number;
  /** RESUMEs received, refused ones too. */
  resumes: number;
  /** RESUMEs that were answered with INVALID_SESSION or 4007. */
  resumesRefused: number;
  /** Heartbeats received. */
  heartbeats: number;
  /** Dispatches sent; replayed ones count again. */
  dispatches: number;
  /** Client frames that did not parse or were too large. */
  badFrames: number;
  /** REST requests answered. */
  restRequests: number;
  /** REST requests answered with 4xx other than 429. */
  restErrors: number;
  /** REST requests answered with 429. */
  restRateLimited: number;
  /** REST requests that a fault disturbed. */
  restFaults: number;
  /** Handlers that failed: always 0 unless the sandbox has a bug. */
  internalErrors: number;
}

/** One line of the log. */
export interface TrafficEntry {
  /** Unix ms. */
  readonly at: number;
  /** Which side of the sandbox. */
  readonly kind: 'rest' | 'gateway' | 'voice' | 'fault';
  /** `in`: from a client; `out`: to it. */
  readonly direction: 'in' | 'out';
  /** `GET /users/@me 200`, `IDENTIFY`, `READY`, `close 4004`. */
  readonly what: string;
  /** Audit-log reason, dispatch sequence, socket number and the like. */
  readonly detail?: Readonly<Record<string, string | number | boolean>> | undefined;
}

/** What clients did. */
export interface Traffic {
  /** Live: read them again for what happened since. */
  readonly counters: Readonly<TrafficCounters>;
  /** The last entries, oldest first; at most 1,000. */
  readonly recent: readonly TrafficEntry[];
}

const KEPT_ENTRIES = 1000;

/** The writable side. */
export class TrafficLog implements Traffic {
  readonly counters: TrafficCounters = {
    gatewayConnections: 0,
    gatewayRefusals: 0,
    gatewayOpen: 0,
    identifies: 0,
    resumes: 0,
    resumesRefused: 0,
    heartbeats: 0,
    dispatches: 0,
    badFrames: 0,
    restRequests: 0,
    restErrors: 0,
    restRateLimited: 0,
    restFaults: 0,
    internalErrors: 0,
  };
  private readonly entries: TrafficEntry[] = [];

  constructor(private readonly wallTime: () => number) {}

  get recent(): readonly TrafficEntry[] {
    return this.entries.slice(-KEPT_ENTRIES);
  }

  add(
    kind: TrafficEntry['kind'],
    direction: TrafficEntry['direction'],
    what: string,
    detail?: TrafficEntry['detail'],
  ): void {
    // Twice the bound before cutting, so that a busy log is not shifted on every line.
    if (this.entries.length >= 2 * KEPT_ENTRIES) this.entries.splice(0, this.entries.length - KEPT_ENTRIES + 1);
    this.entries.push({ at: this.wallTime(), kind, direction, what, detail });
  }
}
