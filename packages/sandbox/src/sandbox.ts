/** Owns the sandbox's public face: puts world, REST, gateway, people and faults behind one port. */
import { type Clock, check, resolveOptions, systemClock } from '@guildkit/core';
import { type BotRegistry, createBots, type SandboxBots } from './bots.js';
import { createChannels, type SandboxChannels } from './channels.js';
import { createCertificate } from './codec/certificate.js';
import { CONSOLE_PATH } from './console-files.js';
import { handleControl, isLoopback } from './control-api.js';
import { SandboxError } from './errors.js';
import { createFaults, type Faults } from './faults.js';
import { createGatewaySide, type GatewayRules } from './gateway-side.js';
import { type HttpServer, listen } from './io/http-server.js';
import { createOAuth, type SandboxOAuth } from './oauth.js';
import { createPeople, type People } from './people.js';
import { CLOSE_CODES } from './protocol/gateway/close-codes.js';
import { PRESENCE_RULES } from './protocol/gateway/presence-limits.js';
import { RateLimiter } from './protocol/rest/rate-limit.js';
import type { WorldEvent } from './protocol/world/events.js';
import { RestApi } from './rest-api.js';
import { beginWorld, loadState, type MainIds, type SandboxState, saveState } from './state.js';
import { type Traffic, TrafficLog } from './traffic.js';
import type { SandboxVoice } from './voice/inspection.js';
import { resolveVoiceOptions, type VoiceOptions } from './voice/options.js';
import { VoiceSide } from './voice/voice-side.js';

/** Settings of {@link createSandbox}. */
export interface SandboxOptions {
  /** Same seed, same ids and tokens. @defaultValue `1` */
  readonly seed?: number | undefined;
  /**
   * `'seed'`: the same in every run. `'clock'`: they carry the time, as Discord's, for clients that read the age of a
   * message from its id.
   *
   * @defaultValue `'seed'`
   */
  readonly ids?: 'seed' | 'clock' | undefined;
  /** What `sandbox.save()` gave: begins with it, and with its seed. */
  readonly state?: SandboxState | undefined;
  /** 0 for a free one. @defaultValue `0` */
  readonly port?: number | undefined;
  /** Address to bind to. @defaultValue `'127.0.0.1'` */
  readonly host?: string | undefined;
  /** Allows a `host` that others can reach. The control API stays on loopback. @defaultValue `false` */
  readonly allowRemote?: boolean | undefined;
  /** Serves https and wss with a certificate of its own: {@link Sandbox.certificate}. @defaultValue `false` */
  readonly tls?: boolean | undefined;
  /** `false` switches the limits of REST, gateway and voice off, a number multiplies them. @defaultValue `true` */
  readonly rateLimits?: boolean | number | undefined;
  /** What HELLO asks for. A connection without a heartbeat for half an interval more is closed. @defaultValue `41_250`, as Discord */
  readonly heartbeatIntervalMs?: number | undefined;
  /** How long a session waits for RESUME. @defaultValue `180_000` */
  readonly resumeWindowMs?: number | undefined;
  /** Dispatches kept per session for RESUME. @defaultValue `1_000` */
  readonly replayLimit?: number | undefined;
  /** Shards that `GET /gateway/bot` recommends; with more than one IDENTIFY must name its shard. @defaultValue `1` */
  readonly shards?: number | undefined;
  /** `max_concurrency`: buckets in which one IDENTIFY may come every five seconds. @defaultValue `1` */
  readonly maxConcurrency?: number | undefined;
  /** IDENTIFYs a bot may send in 24 hours; one more costs it its token. @defaultValue `1_000`, as Discord */
  readonly identifyLimit?: number | undefined;
  /** The voice gateway and the media server. */
  readonly voice?: VoiceOptions | undefined;
  /** Name of the guild. @defaultValue `'Sandbox'` */
  readonly guildName?: string | undefined;
  /** Name of the first bot. @defaultValue `'sandbox-bot'` */
  readonly botName?: string | undefined;
  /** Time for heartbeats, limits and time stamps. @defaultValue the machine's clock */
  readonly clock?: Clock | undefined;
}

/** A running sandbox. */
export interface Sandbox extends AsyncDisposable {
  /** What a client is given: spreads into the options of the REST and gateway clients. */
  readonly connection: { readonly token: string; readonly apiBase: string; readonly guildId: string };
  /** What `GET /gateway` answers, without a query. */
  readonly gatewayUrl: string;
  /** With `tls`: the authority's certificate, PEM, for a client's `ca` or `NODE_EXTRA_CA_CERTS`. */
  readonly certificate: string | undefined;
  /** Base address of the control API. */
  readonly controlUrl: string;
  /** The console page, for a browser on this machine. */
  readonly consoleUrl: string;
  /** The guild that every bot and person is in. */
  readonly guildId: string;
  /** Its text channel `general`. */
  readonly textChannelId: string;
  /** Its voice channel `General`. */
  readonly voiceChannelId: string;
  /** Makes more bots; the first one's token is in `connection`. */
  readonly bots: SandboxBots;
  /** Simulated people. */
  readonly people: People;
  /** Login with OAuth2: an application's credentials, and consent without a browser. */
  readonly oauth: SandboxOAuth;
  /** The guild's channels, without a bot. */
  readonly channels: SandboxChannels;
  /** The voice gateway and the media server: sessions, streams, packets. */
  readonly voice: SandboxVoice;
  /** What can be made to go wrong. */
  readonly faults: Faults;
  /** What clients did. */
  readonly traffic: Traffic;
  /** The state as JSON, for `createSandbox({ state })`: a fixture. */
  save(): SandboxState;
  /** Ends every connection and stops listening. Calling it again does nothing. */
  close(): Promise<void>;
}

type Settings = {
  readonly [Key in Exclude<keyof SandboxOptions, 'state' | 'voice'>]-?: Exclude<SandboxOptions[Key], undefined>;
};

const DEFAULTS = {
  seed: 1,
  ids: 'seed',
  port: 0,
  host: '127.0.0.1',
  allowRemote: false,
  tls: false,
  rateLimits: true,
  heartbeatIntervalMs: 41_250,
  resumeWindowMs: 180_000,
  replayLimit: 1_000,
  shards: 1,
  maxConcurrency: 1,
  identifyLimit: 1_000,
  guildName: 'Sandbox',
  botName: 'sandbox-bot',
  clock: systemClock,
} as const satisfies Settings;

/** Frames a client may send in a minute (Discord docs, Gateway: Rate Limiting). */
const SEND_LIMIT = 120;
const SEND_WINDOW_MS = 60_000;
/** Heartbeats of Discord's own interval in that minute. */
const HEARTBEATS_IN_LIMIT = 2;
/** One IDENTIFY a bucket in this time (Discord docs, Gateway: Rate Limiting). */
const IDENTIFY_BUCKET_MS = 5_000;
/** One request for all members of a guild in this time (Discord docs, Gateway Events: Request Guild Members). */
const WHOLE_LIST_MS = 30_000;
/** A heartbeat may be half an interval late, and never less than this, so that a busy machine does not cut. */
const MIN_HEARTBEAT_GRACE_MS = 5_000;

/**
 * Starts Discord on this machine.
 *
 * @throws TypeError for an unknown or out-of-range option.
 * @throws SandboxError `ERR_SANDBOX_ADDRESS_REMOTE`, `ERR_SANDBOX_PORT_UNAVAILABLE`.
 */
export async function createSandbox(options?: SandboxOptions): Promise<Sandbox> {
  const { state, voice: voiceOptions, ...rest } = options ?? {};
  const settings = resolveOptions<Settings>('createSandbox', DEFAULTS, rest, {
    seed: check.integer(0),
    ids: (value) => (value === 'seed' || value === 'clock' ? undefined : "must be 'seed' or 'clock'"),
    port: check.integer(0, 65_535),
    host: check.text(),
    allowRemote: check.boolean(),
    tls: check.boolean(),
    rateLimits: (value) =>
      typeof value === 'boolean' || (typeof value === 'number' && value > 0 && Number.isFinite(value))
        ? undefined
        : 'must be true, false or a positive factor',
    heartbeatIntervalMs: check.integer(10, 3_600_000),
    resumeWindowMs: check.integer(0, 86_400_000),
    replayLimit: check.integer(1, 100_000),
    shards: check.integer(1, 1_000),
    maxConcurrency: check.integer(1, 1_000),
    identifyLimit: check.integer(0, 1_000_000),
    guildName: check.text(),
    botName: check.text(),
  });
  const voiceSettings = resolveVoiceOptions(voiceOptions);
  const { clock, host } = settings;
  if (!settings.allowRemote && !isLoopback(host) && host !== 'localhost') {
    throw new SandboxError('ERR_SANDBOX_ADDRESS_REMOTE', `${host} can be reached from other machines.`);
  }

  const traffic = new TrafficLog(() => clock.wallTime());
  const stamp = (at: number): string => new Date(at).toISOString().replace('Z', '000+00:00');
  const timestamp = (): string => stamp(clock.wallTime());
  let server: HttpServer | undefined;
  let closed: Promise<void> | undefined;

  const seed = state?.seed ?? settings.seed;
  const now = settings.ids === 'clock' ? () => clock.wallTime() : undefined;
  const { world, guild, main } =
    state === undefined
      ? beginWorld(seed, now, { guildName: settings.guildName, joinedAt: timestamp() })
      : loadState(state, now);
  const authority = (): string => `${urlHost(host)}:${server?.port ?? settings.port}`;
  const secure = settings.tls ? 's' : '';
  const origin = (): string => `http${secure}://${authority()}`;
  const gatewayUrl = (): string => `ws${secure}://${authority()}/gateway`;
  const bots: BotRegistry = createBots({
    world,
    guild,
    seed,
    generations: new Map(Object.entries(state?.generations ?? {})),
    broadcast,
    expel: (botId) => hub.fault({ type: 'cut', close: { code: 4004, reason: CLOSE_CODES[4004].reason } }, { botId }),
    timestamp,
  });

  const { hub, startLimit } = createGatewaySide({
    world,
    clock,
    traffic,
    rules: rulesOf(settings),
    gatewayUrl,
    followVoice: (event) => voice.observe(event),
    voiceAgain: (guildId, { botId, id }) => voice.again(guildId, botId, id),
    botOf: (token) => bots.of(token),
    voidToken: (botId) => bots.revoke(botId),
  });
  // The machine's time: the client judges it by that.
  const tls = settings.tls ? createCertificate(certifiedHosts(host), systemClock.wallTime()) : undefined;
  const voice = await VoiceSide.open({
    world,
    seed,
    clock,
    traffic,
    settings: {
      ...voiceSettings,
      messageLimit:
        settings.rateLimits === false
          ? Number.POSITIVE_INFINITY
          : Math.ceil(voiceSettings.messageLimit * scaleOf(settings.rateLimits)),
    },
    host,
    urlHost: urlHost(host),
    tls,
    broadcast: (events) => hub.broadcast(events),
  });
  const faults = createFaults(hub, clock, traffic, voice);

  function broadcast(events: readonly WorldEvent[]): void {
    if (closed !== undefined) throw new SandboxError('ERR_SANDBOX_CLOSED', 'The sandbox is closed.');
    hub.broadcast(events);
  }

  const firstBot =
    main.botId === '' ? bots.add({ name: settings.botName }) : bots.list().find(({ id }) => id === main.botId);
  if (firstBot === undefined) throw new TypeError('createSandbox: option "state" names a first bot that it lacks');
  const mainIds: MainIds = { ...main, botId: firstBot.id };
  const people = createPeople({
    world,
    guild,
    broadcast,
    media: (personId) => voice.people.mediaOf(guild.id, personId),
    sentBy: (personId) => voice.people.find(guild.id, personId),
    moment: () => ({ now: clock.wallTime(), stamp: timestamp() }),
  });
  const channels = createChannels(world, guild, broadcast);
  const api = new RestApi({
    world,
    traffic,
    seed,
    limiter: settings.rateLimits === false ? undefined : new RateLimiter(scaleOf(settings.rateLimits)),
    shards: settings.shards,
    gatewayUrl,
    botOf: (token) => bots.of(token),
    startLimit,
    stamp,
    broadcast: (events) => hub.broadcast(events),
    now: () => clock.now(),
    wallTime: () => clock.wallTime(),
  });
  const save = (): SandboxState => saveState(world, { seed, main: mainIds, generations: bots.generations });
  const describe = () => ({
    apiBase: `${origin()}/api/v10`,
    gatewayUrl: gatewayUrl(),
    guildId: guild.id,
    textChannelId: main.textChannelId,
    voiceChannelId: main.voiceChannelId,
    voiceEndpoint: voice.endpoint,
  });

  server = await listen({
    host,
    port: settings.port,
    rest: (request) => api.handle(request),
    control: (request) =>
      handleControl(
        { people, channels, faults, voice, traffic, describe, save, port: () => server?.port ?? 0 },
        request,
      ),
    clock,
    tls,
    nextRestFault({ method, target }) {
      const fault = faults.nextRestFault(method, target);
      if (fault !== undefined) {
        traffic.counters.restFaults += 1;
        traffic.add('rest', 'in', `${method} ${target.split('?', 1)[0]?.slice(0, 200)} disturbed`);
      }
      return fault;
    },
    nextGatewayRefusal: () => faults.nextRefusal(),
    onGateway: (ws, query, tcp) => hub.accept(ws, query, tcp),
    onGatewayRefused(why) {
      traffic.counters.gatewayRefusals += 1;
      traffic.add('gateway', 'in', `refused ${why}`);
    },
  }).catch(async (error: unknown) => {
    await voice.close();
    throw error;
  });
  const listener = server;
  world.site.origin = origin();

  function close(): Promise<void> {
    closed ??= (async () => {
      faults.dispose();
      hub.close();
      await Promise.all([listener.close(), voice.close()]);
    })();
    return closed;
  }

  return {
    connection: { token: firstBot.token, apiBase: `${origin()}/api/v10`, guildId: guild.id },
    gatewayUrl: gatewayUrl(),
    certificate: tls?.authority,
    controlUrl: `${origin()}/control/v1`,
    consoleUrl: `${origin()}${CONSOLE_PATH}`,
    guildId: guild.id,
    textChannelId: main.textChannelId,
    voiceChannelId: main.voiceChannelId,
    bots: { create: bots.create, list: bots.list, resetToken: bots.resetToken },
    people,
    oauth: createOAuth(api, {
      clientId: firstBot.id,
      origin: world.site.origin,
      isKnown: (userId) => world.users.get(userId)?.bot === false,
    }),
    channels,
    voice,
    faults,
    traffic,
    save,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function rulesOf(settings: Settings): GatewayRules {
  const { heartbeatIntervalMs, resumeWindowMs, replayLimit, rateLimits, maxConcurrency, identifyLimit } = settings;
  const limited = rateLimits !== false;
  const scale = scaleOf(rateLimits);
  // Discord's interval fits into its limit. A shorter one gets the room that its heartbeats need.
  const extra = Math.max(0, Math.ceil(SEND_WINDOW_MS / heartbeatIntervalMs) - HEARTBEATS_IN_LIMIT);
  return {
    session: {
      heartbeatIntervalMs,
      heartbeatGraceMs: Math.max(heartbeatIntervalMs / 2, MIN_HEARTBEAT_GRACE_MS),
      sendLimit: limited ? Math.round(SEND_LIMIT * scale) + extra : Number.POSITIVE_INFINITY,
      sendWindowMs: SEND_WINDOW_MS,
      resumeWindowMs,
      replayLimit,
      requiredShards: settings.shards,
    },
    identify: {
      maxConcurrency,
      bucketMs: limited ? IDENTIFY_BUCKET_MS / scale : 0,
      total: identifyLimit,
      enforced: limited,
    },
    wholeListMs: limited ? WHOLE_LIST_MS / scale : 0,
    presence: { ...PRESENCE_RULES, limit: limited ? PRESENCE_RULES.limit * scale : Number.POSITIVE_INFINITY },
  };
}

const scaleOf = (rateLimits: boolean | number): number => (typeof rateLimits === 'number' ? rateLimits : 1);

/** What a certificate is for: loopback by every name, and the bound address. */
function certifiedHosts(host: string): readonly string[] {
  const bound = urlHost(host).replaceAll(/[[\]]/g, '');
  return [...new Set(['localhost', '127.0.0.1', '::1', bound])];
}

/** How a bound address is written in a URL. The unspecified addresses are reached through loopback. */
function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
