/** Owns the hub's counters. */
import { HUB_ERRORS, type HubErrorCode } from '../errors.js';

/** The hub in numbers. Counters only grow. */
export interface HubStats {
  /** Open sockets, authenticated or not. */
  readonly connections: number;
  /** Users with at least one authenticated connection. */
  readonly users: number;
  /** Rooms that someone listens to. */
  readonly rooms: number;
  readonly subscriptions: number;
  /** Counter: sockets that were opened. */
  readonly opened: number;
  /** Counter: frames received. */
  readonly framesIn: number;
  /** Counter: frames handed to sockets. */
  readonly framesOut: number;
  /** Counter: events appended to logs by this hub. */
  readonly published: number;
  /** Counter: closes by the hub, by close code. */
  readonly closes: Readonly<Record<string, number>>;
  /** Counter: everything that went wrong, by code. Every code is listed. */
  readonly errors: Readonly<Record<HubErrorCode, number>>;
}

/** The counters themselves. */
export class HubCounters {
  opened = 0;
  framesIn = 0;
  framesOut = 0;
  published = 0;
  readonly closes: Record<string, number> = {};
  readonly errors = Object.fromEntries(Object.keys(HUB_ERRORS).map((code) => [code, 0])) as Record<
    HubErrorCode,
    number
  >;

  /** All numbers: those that are counted here, and those of the moment. */
  stats(now: Pick<HubStats, 'connections' | 'users' | 'rooms' | 'subscriptions'>): HubStats {
    const { opened, framesIn, framesOut, published } = this;
    const closes = { ...this.closes };
    return { ...now, opened, framesIn, framesOut, published, closes, errors: { ...this.errors } };
  }

  /** Counts an error. */
  error(code: HubErrorCode): void {
    this.errors[code] += 1;
  }

  /** Counts an error whose code may be the app's own. */
  refused(code: string): void {
    if (Object.hasOwn(HUB_ERRORS, code)) this.error(code as HubErrorCode);
  }

  /** Counts a close. */
  close(code: number): void {
    this.closes[code] = (this.closes[code] ?? 0) + 1;
  }
}
