/**
 * A long time with the real client, a model Discord and bad weather, in virtual time. Every few hours it clears up, and
 * then everything that happened has to be accounted for.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { DiscordGatewayClient } from '@guildkit/gateway';
import { createVirtualClock } from '@guildkit/testkit';
import { seeded } from '../support/seeded.js';
import { Ledger, type Outage, quantile } from './ledger.js';
import { ModelDiscord } from './model-discord.js';
import { drawFault, FAULT_EVERY_MS, FAULT_NAMES, strike } from './weather.js';

const HOUR_MS = 3_600_000;
const EVENT_EVERY_MS = 4_000;
const SEND_EVERY_MS = 200_000;
const CALM_EVERY_MS = 6 * HOUR_MS;
/** Longer than it takes to notice a dead line and to come back. */
const CALM_MS = 240_000;

/** What a soak came to. */
export interface SoakFigures {
  readonly virtualDays: number;
  readonly seed: number;
  readonly faults: Readonly<Record<string, number>>;
  /** Of the time in which Discord could be reached. */
  readonly connectedShare: number;
  readonly unavailableHours: number;
  readonly outages: number;
  readonly recoveryMs: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number };
  /** How many outages were over within 30 s. */
  readonly within30s: number;
  /** What followed which fault, in order of the time that it cost. */
  readonly byCause: readonly {
    readonly cause: string;
    readonly outages: number;
    readonly medianMs: number;
    readonly maxMs: number;
    readonly totalMs: number;
  }[];
  readonly events: {
    readonly happened: number;
    readonly delivered: number;
    readonly coveredBySession: number;
    readonly coveredByGap: number;
  };
  readonly sends: { readonly made: number; readonly sent: number; readonly rejected: number };
  readonly discord: Readonly<Record<string, number>>;
  readonly told: Readonly<Record<string, number>>;
  readonly checks: number;
  readonly heapMb: { readonly early: number; readonly late: number };
  /** What must not be; empty. */
  readonly wrong: readonly string[];
}

/** Runs it. @param onHour Called after each virtual hour. */
export async function runSoak(days: number, seed: number, onHour?: (hour: number) => void): Promise<SoakFigures> {
  const clock = createVirtualClock();
  const [worldRandom, faultRandom, netRandom] = [seeded(seed), seeded(seed + 1), seeded(seed + 2)];
  const faults: Record<string, number> = {};
  const told: Record<string, number> = {};
  const sends = { made: 0, sent: 0, rejected: 0 };
  const mirror = new Map<string, string>();
  let holesSinceReady = 0;
  let weather = true;
  let events = true;
  let over = false;

  const discord: ModelDiscord = new ModelDiscord(clock, netRandom, {
    happened: (n, session, seq) => ledger.noteHappened(n, session, seq),
    linkBroke: () => ledger.update({}),
    availability: (available) => ledger.update({ available }),
    violation: (what) => ledger.fault(what),
  });
  const ledger: Ledger = new Ledger(
    () => clock.now(),
    () => discord.isServing,
  );

  const client = new DiscordGatewayClient({
    token: 'soak.token',
    intents: ['Guilds', 'GuildVoiceStates', 'GuildMessages', 'MessageContent'],
    fetchGatewayInfo: async () => ({
      url: 'wss://gateway.test',
      shards: 1,
      session_start_limit: { total: 1_000, remaining: 1_000, reset_after: 86_400_000, max_concurrency: 1 },
    }),
    openSocket: discord.openSocket,
    clock,
    random: seeded(seed + 3),
  });
  client.onDispatch('READY', ({ session_id }) => {
    ledger.noteSession(session_id);
    holesSinceReady = 0;
  });
  client.onDispatch('MESSAGE_CREATE', ({ content }) => ledger.noteDelivered(Number(content)));
  client.onDispatch('VOICE_STATE_UPDATE', ({ session_id }) => ledger.noteDelivered(Number(session_id)));
  client.onEvent('voice.joined', ({ payload }) => mirror.set(payload.userId, payload.channelId));
  client.onEvent('voice.moved', ({ payload }) => mirror.set(payload.userId, payload.channelId));
  client.onEvent('voice.left', ({ payload }) => mirror.delete(payload.userId));
  client.on('stateChange', ({ to }) => ledger.update({ clientReady: to === 'ready' }));
  client.on('gap', (gap) => {
    ledger.noteGap(gap);
    if (gap.recovery === 'none') holesSinceReady += 1;
  });
  for (const name of ['ready', 'resumed', 'gap', 'alert', 'degraded', 'heartbeat'] as const) {
    client.on(name, () => {
      told[name] = (told[name] ?? 0) + 1;
    });
  }
  client.on('error', ({ code }) => {
    told[code] = (told[code] ?? 0) + 1;
  });
  client.on('closed', () => {
    if (!over) ledger.fault('the client closed by itself');
  });

  /** Again and again, at random, until the end. */
  function recurring(everyMs: number, random: () => number, action: () => void): void {
    if (over) return;
    clock.setTimer(
      () => {
        if (over) return;
        action();
        recurring(everyMs, random, action);
      },
      -Math.log(1 - random()) * everyMs,
    );
  }
  recurring(EVENT_EVERY_MS, worldRandom, () => {
    const kind = worldRandom();
    if (events) discord.happen(kind < 0.4 ? 'message' : kind < 0.6 ? 'voice' : 'presence');
  });
  recurring(SEND_EVERY_MS, worldRandom, () => {
    sends.made += 1;
    client.send({ op: 3, d: { since: null, activities: [], status: 'online', afk: false } as never }).then(
      () => {
        sends.sent += 1;
      },
      () => {
        sends.rejected += 1;
      },
    );
  });
  recurring(FAULT_EVERY_MS, faultRandom, () => {
    // A fault that meets no connection would be none.
    if (!weather || !discord.isServing) return;
    // One of each to begin with: a short run meets them all too.
    const name = FAULT_NAMES.find((one) => faults[one] === undefined) ?? drawFault(faultRandom);
    faults[name] = (faults[name] ?? 0) + 1;
    ledger.cause = name;
    strike(name, { discord, clock, random: faultRandom });
  });

  let checks = 0;
  /** Clears up, and looks whether everything is there. */
  async function calm(): Promise<void> {
    weather = false;
    while (!discord.isAvailable) await pass(10_000);
    discord.befall(undefined);
    discord.ignore = undefined;
    await pass(CALM_MS);
    events = false;
    await pass(30_000);
    checks += 1;
    if (client.health().state !== 'ready' || !discord.isServing) ledger.fault('not connected in calm weather');
    ledger.expectAllAccounted(discord.present);
    if (holesSinceReady === 0 && !sameEntries(mirror, discord.truth)) ledger.fault('who is in voice is not known');
    events = true;
    weather = true;
  }

  /** Time passes from timer to timer. */
  async function pass(ms: number): Promise<void> {
    const until = clock.now() + ms;
    while (clock.now() < until) {
      // What is looked up outside of virtual time, such as the hash of the token, gets its turn.
      if (client.health().state !== 'ready') await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(Math.min(clock.nextAt ?? until, until) - clock.now());
    }
  }

  let isConnected = false;
  void client.connect().then(() => {
    isConnected = true;
  });
  while (discord.counts.sockets === 0) await new Promise((resolve) => setImmediate(resolve));
  await pass(60_000);
  if (!isConnected) ledger.fault('connect() did not resolve');

  const end = days * 24 * HOUR_MS;
  let early: number | undefined;
  let nextCalm = CALM_EVERY_MS;
  for (let hour = 1; clock.now() < end; hour += 1) {
    await pass(HOUR_MS);
    if (clock.now() >= nextCalm) {
      nextCalm += CALM_EVERY_MS;
      await calm();
      // What is compiled and cached in the first hours is no leak.
      if (early === undefined && clock.now() >= end / 10) early = heapMb();
    }
    onHour?.(hour);
  }
  await calm();
  const late = heapMb();
  ledger.update({});
  over = true;
  await client.close();
  await clock.advance(HOUR_MS);
  if (clock.pending > 0) ledger.fault(`${clock.pending} timers are left after close()`);
  if (sends.sent + sends.rejected !== sends.made) ledger.fault('a send did not settle');

  const recoveries = ledger.outages.map(({ recoveryMs }) => recoveryMs);
  const { happened, delivered, coveredBySession, coveredByGap } = ledger;
  return {
    virtualDays: days,
    seed,
    faults,
    connectedShare: ledger.connectedMs / (ledger.connectedMs + ledger.disconnectedMs),
    unavailableHours: ledger.unavailableMs / HOUR_MS,
    outages: recoveries.length,
    recoveryMs: {
      p50: quantile(recoveries, 0.5),
      p90: quantile(recoveries, 0.9),
      p99: quantile(recoveries, 0.99),
      max: quantile(recoveries, 1),
    },
    within30s: recoveries.filter((ms) => ms <= 30_000).length / Math.max(1, recoveries.length),
    byCause: byCause(ledger.outages),
    events: { happened, delivered, coveredBySession, coveredByGap },
    sends,
    discord: discord.counts,
    told,
    checks,
    heapMb: { early: early ?? late, late },
    wrong: ledger.wrong,
  };
}

function byCause(outages: readonly Outage[]): SoakFigures['byCause'] {
  return [...new Set(outages.map(({ cause }) => cause))]
    .map((cause) => {
      const ms = outages.filter((outage) => outage.cause === cause).map(({ recoveryMs }) => recoveryMs);
      const totalMs = ms.reduce((sum, one) => sum + one, 0);
      return { cause, outages: ms.length, medianMs: quantile(ms, 0.5), maxMs: quantile(ms, 1), totalMs };
    })
    .sort((a, b) => b.totalMs - a.totalMs);
}

function sameEntries(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

let collect: (() => void) | undefined;

/** What is in use after a collection. */
function heapMb(): number {
  setFlagsFromString('--expose-gc');
  collect ??= runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed / 1e6;
}
