/** Owns which faults act on whose media, and for how long. */
import type { Clock } from '@guildkit/core';
import type { MediaPeer, MediaServer } from '../io/media-server.js';
import { hashText } from '../protocol/random.js';
import { type MediaConditions, MediaLink } from '../protocol/voice/media-faults.js';

/** What happens to media on their way. What is left out does nothing; without anything the way is clear again. */
export interface MediaFaultOptions {
  /** Media of this user alone. @defaultValue everyone's */
  readonly userId?: string | undefined;
  /** `up`: from clients; `down`: to them. @defaultValue `'both'` */
  readonly direction?: 'up' | 'down' | 'both' | undefined;
  /** Share of packets that are lost, 0 to 1. */
  readonly loss?: number | undefined;
  /** Packets that are lost in a row once one is. @defaultValue `1` */
  readonly burst?: number | undefined;
  /** How much later packets come, in ms. */
  readonly delayMs?: number | undefined;
  /** Up to how much later than that, evenly spread, in ms. Packets keep their order. */
  readonly jitterMs?: number | undefined;
  /** Share of packets that others overtake, 0 to 1. */
  readonly reorder?: number | undefined;
  /** By how much those come later, in ms. @defaultValue `30` */
  readonly reorderMs?: number | undefined;
  /** Share of packets that come twice, 0 to 1. */
  readonly duplicate?: number | undefined;
  /** Bits a second that pass; packets queue for it. */
  readonly bandwidthBps?: number | undefined;
  /** The queue before that, in ms; what does not fit is lost. @defaultValue `200` */
  readonly queueMs?: number | undefined;
  /** Nothing comes through: discovery and keepalives neither. */
  readonly blackout?: boolean | undefined;
  /** Time after which the way is clear again, in ms. @defaultValue no limit */
  readonly forMs?: number | undefined;
  /** Makes another course of the same conditions. @defaultValue `0` */
  readonly seed?: number | undefined;
}

type Direction = 'up' | 'down';

interface Rule {
  readonly conditions: MediaConditions;
  readonly seed: number;
  readonly timer: unknown;
  /** As it was set, but for what ends it. */
  readonly shown: MediaFaultOptions;
}

const CLEAR: MediaConditions = {
  loss: 0,
  burst: 1,
  delayMs: 0,
  jitterMs: 0,
  reorder: 0,
  reorderMs: 30,
  duplicate: 0,
  bandwidthBps: undefined,
  queueMs: 200,
  blackout: false,
};
const SHARES = ['loss', 'reorder', 'duplicate'] as const;
const TIMES = ['delayMs', 'jitterMs', 'reorderMs', 'queueMs'] as const;
const MAX_MS = 60_000;
const EVERYONE = '';

/** The faults of media. */
export class MediaFaultTable {
  private readonly rules = new Map<string, Rule>();
  private readonly made = new WeakMap<MediaLink, Rule>();

  constructor(
    private readonly server: MediaServer,
    private readonly clock: Clock,
    private readonly seed: number,
  ) {}

  /** Sets what happens from now on, in place of what was set for the same user and direction. @throws RangeError. */
  set(options: MediaFaultOptions): void {
    const { userId = EVERYONE, direction = 'both', forMs, seed = 0, ...wanted } = options;
    if (!['up', 'down', 'both'].includes(direction))
      throw new RangeError("faults.media: direction is 'up', 'down' or 'both'");
    const conditions = conditionsOf(wanted);
    if (forMs !== undefined) requireNumber('forMs', forMs, 0, 86_400_000);
    for (const way of direction === 'both' ? (['up', 'down'] as const) : [direction]) {
      const name = `${way}:${userId}`;
      this.end(name);
      if (isClear(conditions)) continue;
      const timer =
        forMs === undefined
          ? undefined
          : this.clock.setTimer(() => {
              this.rules.delete(name);
              this.applyAll();
            }, forMs);
      const shown = { ...wanted, ...(userId === EVERYONE ? {} : { userId }), direction: way };
      this.rules.set(name, { conditions, seed, timer, shown });
    }
    this.applyAll();
  }

  /** Lets faults act on a client that comes. */
  apply(peer: MediaPeer): void {
    peer.up = this.linkOf(peer.userId, 'up', peer.up);
    peer.down = this.linkOf(peer.userId, 'down', peer.down);
  }

  /** What acts now, one for each user and direction. */
  list(): readonly MediaFaultOptions[] {
    return [...this.rules.values()].map(({ shown }) => shown);
  }

  /** Ends all of them. */
  clear(): void {
    this.dispose();
    this.applyAll();
  }

  /** Clears timers. */
  dispose(): void {
    for (const name of [...this.rules.keys()]) this.end(name);
  }

  private applyAll(): void {
    for (const peer of this.server.all()) this.apply(peer);
  }

  /** The way of a user's packets; what it was, when its rule is the same. */
  private linkOf(userId: string, way: Direction, former: MediaLink | undefined): MediaLink | undefined {
    const rule = this.rules.get(`${way}:${userId}`) ?? this.rules.get(`${way}:${EVERYONE}`);
    if (rule === undefined) return undefined;
    if (former !== undefined && this.made.get(former) === rule) return former;
    const link = new MediaLink(rule.conditions, hashText(`${this.seed}:${rule.seed}:${userId}:${way}`));
    this.made.set(link, rule);
    return link;
  }

  private end(name: string): void {
    const rule = this.rules.get(name);
    if (rule === undefined) return;
    this.clock.clearTimer(rule.timer);
    this.rules.delete(name);
  }
}

function conditionsOf(wanted: Omit<MediaFaultOptions, 'userId' | 'direction' | 'forMs' | 'seed'>): MediaConditions {
  const unknown = Object.keys(wanted).find((name) => !Object.hasOwn(CLEAR, name));
  if (unknown !== undefined) throw new RangeError(`faults.media: unknown "${unknown}"`);
  const given = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
  const conditions: MediaConditions = { ...CLEAR, ...given };
  for (const name of SHARES) requireNumber(name, conditions[name], 0, 1);
  for (const name of TIMES) requireNumber(name, conditions[name], 0, MAX_MS);
  requireNumber('burst', conditions.burst, 1, 10_000);
  if (conditions.bandwidthBps !== undefined) requireNumber('bandwidthBps', conditions.bandwidthBps, 1_000, 1e12);
  if (typeof conditions.blackout !== 'boolean') throw new RangeError('faults.media: blackout is true or false');
  return conditions;
}

const isClear = (conditions: MediaConditions): boolean =>
  conditions.loss === 0 &&
  conditions.delayMs === 0 &&
  conditions.jitterMs === 0 &&
  conditions.reorder === 0 &&
  conditions.duplicate === 0 &&
  conditions.bandwidthBps === undefined &&
  !conditions.blackout;

function requireNumber(name: string, value: number, min: number, max: number): void {
  if (typeof value === 'number' && value >= min && value <= max) return;
  throw new RangeError(`faults.media: ${name} is a number from ${min} to ${max}`);
}
