/**
 * Owns what operators see on the page /ops: how this process is, from its metrics and its log. Refuses secrets, what people
 * wrote, and where the app runs. Each process shows itself.
 */
import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from '@guildkit/core';
import type { RealtimeHub } from '@guildkit/server-kit/hub';
import type { Metrics } from '@guildkit/server-kit/observability';
import type { OpsLog, OpsRecord } from './ops-log.js';
import type { Presence } from './presence.js';
import { parseMetrics, quantileOf, type Sample, sumOf } from './prometheus.js';
import type { RoomDirectory } from './room-directory.js';

/** How the connection to Discord is. */
export interface OpsDiscord {
  readonly simulated: boolean;
  readonly topology: string;
  /** `ready` while events come. */
  readonly state: string;
  /** Of several processes: whether this one is connected. */
  readonly role: string | undefined;
}

/** How often something happens. */
export interface OpsRate {
  readonly name: string;
  /** In the last minute; `undefined` until there is something to compare with. */
  readonly perMinute: number | undefined;
  /** Of each span of the last minutes, oldest first. */
  readonly history: readonly number[];
}

/** How long something takes. */
export interface OpsLatency {
  readonly name: string;
  readonly count: number;
  readonly p50Ms: number | undefined;
  readonly p95Ms: number | undefined;
}

/** A voice channel of the server. */
export interface OpsRoom {
  readonly channelId: string;
  readonly name: string;
  readonly inVoice: number;
  readonly viewers: number;
}

/** The page. */
export interface OpsView {
  /** Which process answers: made up at its start. */
  readonly instance: string;
  /** Unix ms. */
  readonly at: number;
  readonly uptimeSeconds: number;
  readonly discord: OpsDiscord;
  readonly numbers: readonly { readonly name: string; readonly value: string }[];
  readonly rates: readonly OpsRate[];
  readonly latencies: readonly OpsLatency[];
  readonly rooms: readonly OpsRoom[];
  /** How many rooms there are: the list is bounded. */
  readonly roomCount: number;
  readonly refusals: readonly { readonly code: string; readonly count: number }[];
  readonly records: readonly OpsRecord[];
}

export interface OpsOptions {
  readonly log: OpsLog;
  readonly metrics: Pick<Metrics, 'text'>;
  readonly hub: Pick<RealtimeHub, 'stats' | 'viewers'>;
  readonly directory: Pick<RoomDirectory, 'list'>;
  readonly seats: { readonly size: number; readonly presence: Pick<Presence, 'peopleIn' | 'seatCount'> };
  readonly health: () => { readonly discord: OpsDiscord; readonly uptimeSeconds: number };
  /** Who may see the page, by Discord's ids; `undefined`: whoever is logged in. */
  readonly operators: readonly string[] | undefined;
  readonly clock?: Clock | undefined;
}

export interface Ops {
  /** Whether somebody may see the page. */
  allows(userId: string): boolean;
  view(): Promise<OpsView>;
  close(): void;
}

/** How often is looked, and for how long it is remembered. */
const LOOK_MS = 5_000;
const LOOKS = 61;
const MINUTE_MS = 60_000;
const MAX_ROOMS = 50;

/** What is counted, by the name that operators read. */
const COUNTED: Readonly<Record<string, (samples: readonly Sample[]) => number>> = {
  'Events of Discord': (samples) => sumOf(samples, 'guildkit_discord_events_total'),
  'Joins, leaves and moves': (samples) => sumOf(samples, 'guildkit_voice_changes_total'),
  'Messages to pages': (samples) => sumOf(samples, 'guildkit_messages_total', { direction: 'out', type: 'frame' }),
  Commands: (samples) => sumOf(samples, 'guildkit_command_seconds_count'),
  'HTTP requests': (samples) => sumOf(samples, 'guildkit_http_request_seconds_count'),
  Refusals: (samples) => sumOf(samples, 'guildkit_refusals_total'),
};

const TIMED: Readonly<Record<string, readonly [string, Readonly<Record<string, string>>?]>> = {
  'Heartbeat to Discord': ['guildkit_socket_round_trip_seconds', { transport: 'gateway' }],
  'From Discord to here': ['guildkit_discord_event_delay_seconds'],
  'To pages and back': ['guildkit_socket_round_trip_seconds', { transport: 'ws' }],
  'Wait before a stream': ['guildkit_sse_flush_seconds'],
  Commands: ['guildkit_command_seconds', { outcome: 'ok' }],
  'HTTP requests': ['guildkit_http_request_seconds'],
};

export function createOps(options: OpsOptions): Ops {
  const { log, metrics, hub, directory, seats, health, operators, clock = systemClock } = options;
  const instance = randomUUID().slice(0, 8);
  const looks: { readonly at: number; readonly counts: Readonly<Record<string, number>> }[] = [];
  let timer: unknown;
  let isClosed = false;

  async function look(): Promise<readonly Sample[]> {
    return parseMetrics(await metrics.text());
  }

  async function note(): Promise<void> {
    const samples = await look();
    const counts = Object.fromEntries(Object.entries(COUNTED).map(([name, count]) => [name, count(samples)]));
    looks.push({ at: clock.now(), counts });
    if (looks.length > LOOKS) looks.shift();
  }
  const again = (): void => {
    if (isClosed) return;
    timer = clock.setTimer(() => void note().finally(again), LOOK_MS);
    (timer as { unref?(): void }).unref?.();
  };
  void note().finally(again);

  function rateOf(name: string, now: number): OpsRate {
    const history = looks.slice(1).map(({ counts }, at) => (counts[name] ?? 0) - (looks[at]?.counts[name] ?? 0));
    const last = looks.at(-1);
    const first = looks.find(({ at }) => at >= now - MINUTE_MS - LOOK_MS / 2);
    if (first === undefined || last === undefined || last.at <= first.at)
      return { name, perMinute: undefined, history };
    const grown = (last.counts[name] ?? 0) - (first.counts[name] ?? 0);
    return { name, perMinute: (grown * MINUTE_MS) / (last.at - first.at), history };
  }

  function numbersOf(samples: readonly Sample[]): OpsView['numbers'] {
    const { users, rooms } = hub.stats();
    const bytes = sumOf(samples, 'guildkit_process_resident_memory_bytes');
    const lagMs = sumOf(samples, 'guildkit_nodejs_eventloop_lag_p99_seconds') * 1_000;
    return [
      { name: 'Connected pages', value: String(sumOf(samples, 'guildkit_connections')) },
      { name: 'People on pages', value: String(users) },
      { name: 'Rooms being watched', value: String(rooms) },
      { name: 'Game rooms open', value: String(sumOf(samples, 'guildkit_rooms_open')) },
      { name: 'Seats in use', value: `${seats.presence.seatCount()} of ${seats.size}` },
      { name: 'Commands waiting', value: String(sumOf(samples, 'guildkit_queue_depth')) },
      { name: 'Memory', value: `${Math.round(bytes / 1_048_576)} MB` },
      { name: 'Event loop, p99', value: `${lagMs.toFixed(0)} ms` },
    ];
  }

  async function roomsOf(): Promise<readonly OpsRoom[]> {
    const rooms = await Promise.all(
      directory.list().map(async ({ channelId, name }) => ({
        channelId,
        name,
        inVoice: seats.presence.peopleIn(channelId),
        viewers: (await hub.viewers(`channel:${channelId}`)).length,
      })),
    );
    // Those where somebody is come first.
    return rooms.sort((a, b) => b.inVoice + b.viewers - (a.inVoice + a.viewers)).slice(0, MAX_ROOMS);
  }

  return {
    allows: (userId) => operators === undefined || operators.includes(userId),
    async view() {
      const samples = await look();
      const { discord, uptimeSeconds } = health();
      const { simulated, topology, state, role } = discord;
      const ms = (seconds: number | undefined) => (seconds === undefined ? undefined : seconds * 1_000);
      return {
        instance,
        at: clock.wallTime(),
        uptimeSeconds,
        discord: { simulated, topology, state, role },
        numbers: numbersOf(samples),
        rates: Object.keys(COUNTED).map((name) => rateOf(name, clock.now())),
        latencies: Object.entries(TIMED).map(([name, [metric, where]]) => ({
          name,
          count: sumOf(samples, `${metric}_count`, where),
          p50Ms: ms(quantileOf(samples, metric, 0.5, where)),
          p95Ms: ms(quantileOf(samples, metric, 0.95, where)),
        })),
        rooms: await roomsOf(),
        roomCount: directory.list().length,
        refusals: samples
          .filter(({ name }) => name === 'guildkit_refusals_total')
          .map(({ labels: { code = '' }, value }) => ({ code, count: value }))
          .sort((a, b) => b.count - a.count),
        records: log.recent(),
      };
    },
    close() {
      isClosed = true;
      clock.clearTimer(timer);
    },
  };
}
