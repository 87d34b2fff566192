/**
 * Owns requests for guild members (Discord docs, Gateway Events: Request Guild Members): their turn, their repeats,
 * their end. Refuses sockets: the client sends. What the chunks come to is `protocol/member-chunks.ts`.
 */
import { type Clock, check, resolveOptions } from '@guildkit/core';
import type {
  APIGuildMember,
  GatewayGuildMembersChunkPresence,
  GatewayRequestGuildMembers,
  GatewayRequestGuildMembersData,
  GatewaySendPayload,
} from 'discord-api-types/v10';
import { GatewayError } from './errors.js';
import { MAX_OPTION_MS } from './options.js';
import { fields, number, text } from './protocol/fields.js';
import { OPCODES } from './protocol/frames.js';
import { type GatewayIntentName, INTENTS } from './protocol/intents.js';
import { ChunkCollector, readMemberChunk } from './protocol/member-chunks.js';
import { isSnowflake } from './protocol/snowflake.js';

/** What to ask for: `userIds`, or those whose name begins with `query`. Without both, everyone. */
export interface GuildMembersOptions {
  readonly guildId: string;
  /** Beginning of a user name or nickname. @defaultValue `''`: everyone, which needs the intent `GuildMembers` */
  readonly query?: string | undefined;
  /** Members at most; with a `query` Discord gives 100 at most. @defaultValue 0: no limit of ours */
  readonly limit?: number | undefined;
  /** These members, 100 at most. */
  readonly userIds?: readonly string[] | undefined;
  /** Their presences too; needs the intent `GuildPresences`. @defaultValue `false` */
  readonly presences?: boolean | undefined;
  /** Withdraws the request. */
  readonly signal?: AbortSignal | undefined;
  /** For everything: the turn, Discord's rate limit, all chunks. ms. @defaultValue 120000 */
  readonly timeoutMs?: number | undefined;
}

/** What a request for members came to. */
export interface GuildMembersResult {
  /** In the order in which Discord lists them. */
  readonly members: readonly APIGuildMember[];
  /** Of `userIds`, those who are no members. */
  readonly notFound: readonly string[];
  /** Filled when presences were asked for. */
  readonly presences: readonly GatewayGuildMembersChunkPresence[];
}

/** A request for members: await it for all of them, or iterate over them as they come. */
export type GuildMembersRequest = Promise<GuildMembersResult> & AsyncIterable<APIGuildMember>;

/** What requests need of their client. */
export interface RequestContext {
  readonly clock: Clock;
  readonly intents: number;
  /** Tells this process' requests from those of the one before it, whose answers a resume may bring. */
  readonly nonceBase: string;
  shardOf(guildId: string): number;
  send(payload: GatewaySendPayload, options: { shardId: number; signal: AbortSignal }): Promise<void>;
}

/**
 * Requests of one guild that are under way at a time. Of the whole list Discord would only refuse a second one (docs,
 * Change Log: Introducing Rate Limit When Requesting All Guild Members: one in 30 s, by guild).
 */
const MAX_AT_ONCE = { some: 4, all: 1 } as const;
/** Docs, Gateway Events: Request Guild Members: at most 100 by id. */
const MAX_USER_IDS = 100;

interface Settings {
  readonly guildId: string;
  readonly query: string;
  readonly limit: number;
  readonly userIds: readonly string[] | undefined;
  readonly presences: boolean;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
}

const DEFAULTS = {
  guildId: '',
  query: '',
  limit: 0,
  userIds: undefined,
  presences: false,
  signal: undefined,
  timeoutMs: 120_000,
} as const satisfies Settings;

/** A request on its way. */
interface Pending {
  readonly lane: Lane;
  readonly shardId: number;
  readonly expiresAt: number;
  readonly payload: GatewayRequestGuildMembers;
  readonly collector: ChunkCollector;
  /** Fires when it is over, so that nothing of it waits to be sent. */
  readonly over: AbortController;
  /** It was handed to the socket. */
  isOut: boolean;
  /** Resolves when more has come, or the end. */
  news: { readonly promise: Promise<void>; tell(): void };
  settle(error?: GatewayError): void;
}

/** Requests of one guild that share a limit. */
interface Lane {
  readonly key: string;
  readonly most: number;
  readonly active: Set<Pending>;
  readonly waiting: Pending[];
  /** Discord said: not before. */
  freeAt: number;
  timer: unknown;
}

/** The requests for members of one client. */
export class MemberRequests {
  private readonly byNonce = new Map<string, Pending>();
  private readonly lanes = new Map<string, Lane>();
  private count = 0;

  constructor(private readonly context: RequestContext) {}

  /** @throws TypeError when the options make no sense. */
  request(options: GuildMembersOptions): GuildMembersRequest {
    const settings = checked(options);
    this.count += 1;
    const nonce = `${this.context.nonceBase}-${this.count.toString(36)}`;
    const pending = this.begin(nonce, settings);
    const promise = this.result(nonce, pending, settings);
    // Who only iterates hears of a failure there.
    promise.catch(() => {});
    return Object.assign(promise, { [Symbol.asyncIterator]: () => iterate(pending, promise) });
  }

  /** Takes a GUILD_MEMBERS_CHUNK. */
  onChunk(data: unknown): void {
    const chunk = readMemberChunk(data);
    const pending = this.byNonce.get(chunk?.nonce ?? '');
    if (chunk === undefined || pending === undefined) return;
    pending.isOut = true;
    const isComplete = pending.collector.push(chunk);
    if (isComplete) pending.settle();
    else renewNews(pending);
  }

  /** Takes a RATE_LIMITED (docs, Gateway Events: Rate Limited): the request waits, and is made again. */
  onRateLimited(data: unknown): void {
    const body = fields(data);
    const retryAfter = number(body, 'retry_after');
    if (number(body, 'opcode') !== OPCODES.requestGuildMembers || retryAfter === undefined) return;
    const nonce = text(fields(body?.meta), 'nonce');
    const guildId = text(fields(body?.meta), 'guild_id');
    const pending =
      nonce === undefined
        ? [...this.byNonce.values()].find(({ payload, isOut }) => isOut && payload.d.guild_id === guildId)
        : this.byNonce.get(nonce);
    if (pending === undefined) return;
    const { lane } = pending;
    // No request waits longer than the longest that one may.
    lane.freeAt = this.context.clock.now() + Math.min(Math.max(0, retryAfter * 1_000), MAX_OPTION_MS);
    if (lane.freeAt >= pending.expiresAt) {
      pending.settle(
        new GatewayError(
          'ERR_GATEWAY_REQUEST_RATE_LIMITED',
          `Discord takes the next request for these members in ${retryAfter} s, which is past its time limit`,
          { shardId: pending.shardId, retryable: true },
        ),
      );
      return;
    }
    pending.isOut = false;
    lane.active.delete(pending);
    lane.waiting.unshift(pending);
    this.pump(lane);
  }

  /** After a resume: what was sent into a dying connection may never have arrived. */
  onResumed(shardId: number): void {
    for (const pending of this.outOf(shardId)) if (!pending.collector.hasBegun) this.transmit(pending);
  }

  /** With the session its answers are gone. */
  onSessionLost(shardId: number): void {
    for (const pending of this.outOf(shardId)) {
      pending.collector.restart();
      this.transmit(pending);
    }
  }

  /** Ends every request. */
  close(error: GatewayError): void {
    for (const pending of [...this.byNonce.values()]) pending.settle(error);
  }

  private begin(nonce: string, settings: Settings): Pending {
    const { guildId, userIds, query, limit, presences, timeoutMs } = settings;
    const wanted: GatewayRequestGuildMembersData =
      userIds === undefined
        ? { guild_id: guildId, query, limit, presences, nonce }
        : { guild_id: guildId, user_ids: [...userIds], presences, nonce };
    return {
      lane: this.laneOf(guildId, userIds === undefined && query === '' && limit === 0 ? 'all' : 'some'),
      shardId: this.context.shardOf(guildId),
      expiresAt: this.context.clock.now() + timeoutMs,
      payload: { op: OPCODES.requestGuildMembers as GatewayRequestGuildMembers['op'], d: wanted },
      collector: new ChunkCollector(),
      over: new AbortController(),
      isOut: false,
      news: createNews(),
      settle: () => {},
    };
  }

  private result(nonce: string, pending: Pending, { signal, timeoutMs, ...settings }: Settings) {
    const { clock } = this.context;
    const { lane, collector, over, shardId } = pending;
    return new Promise<GuildMembersResult>((resolve, reject) => {
      const fail = (code: 'ERR_GATEWAY_REQUEST_TIMEOUT' | 'ERR_GATEWAY_REQUEST_ABORTED', what: string): void =>
        pending.settle(
          new GatewayError(code, `The members did not come: ${what}`, {
            shardId,
            retryable: code === 'ERR_GATEWAY_REQUEST_TIMEOUT',
            cause: signal?.aborted ? signal.reason : undefined,
          }),
        );
      const onAbort = (): void => fail('ERR_GATEWAY_REQUEST_ABORTED', 'the signal fired');
      const timer = clock.setTimer(() => fail('ERR_GATEWAY_REQUEST_TIMEOUT', `${timeoutMs} ms are over`), timeoutMs);
      pending.settle = (error) => {
        pending.settle = () => {};
        clock.clearTimer(timer);
        signal?.removeEventListener('abort', onAbort);
        this.byNonce.delete(nonce);
        lane.active.delete(pending);
        const place = lane.waiting.indexOf(pending);
        if (place >= 0) lane.waiting.splice(place, 1);
        over.abort();
        if (error === undefined) resolve(resultOf(collector));
        else reject(error);
        pending.news.tell();
        this.pump(lane);
      };
      this.byNonce.set(nonce, pending);
      const missing = missingIntents(settings, this.context.intents);
      if (missing.length > 0) {
        const what = `This request needs the intents ${missing.join(', ')}`;
        pending.settle(new GatewayError('ERR_GATEWAY_INTENT_MISSING', what, { shardId }));
      } else if (signal?.aborted) onAbort();
      else {
        signal?.addEventListener('abort', onAbort, { once: true });
        lane.waiting.push(pending);
        this.pump(lane);
      }
    });
  }

  /** Sends what may be sent, and comes back when more may. */
  private pump(lane: Lane): void {
    const { clock } = this.context;
    clock.clearTimer(lane.timer);
    lane.timer = undefined;
    const now = clock.now();
    if (now < lane.freeAt && lane.waiting.length > 0) {
      lane.timer = clock.setTimer(() => this.pump(lane), lane.freeAt - now);
      return;
    }
    while (lane.waiting.length > 0 && lane.active.size < lane.most) {
      const next = lane.waiting.shift() as Pending;
      lane.active.add(next);
      this.transmit(next);
    }
    if (isIdle(lane, now)) this.lanes.delete(lane.key);
  }

  private transmit(pending: Pending): void {
    pending.isOut = false;
    const { payload, shardId, over } = pending;
    this.context.send(payload, { shardId, signal: over.signal }).then(
      () => {
        pending.isOut = true;
      },
      (error: GatewayError) => pending.settle(error),
    );
  }

  private outOf(shardId: number): Pending[] {
    return [...this.byNonce.values()].filter((pending) => pending.shardId === shardId && pending.isOut);
  }

  private laneOf(guildId: string, kind: keyof typeof MAX_AT_ONCE): Lane {
    const key = `${guildId} ${kind}`;
    const now = this.context.clock.now();
    // Those that were kept only for their limit.
    for (const lane of this.lanes.values()) if (isIdle(lane, now)) this.lanes.delete(lane.key);
    const lane = this.lanes.get(key) ?? {
      key,
      most: MAX_AT_ONCE[kind],
      active: new Set(),
      waiting: [],
      freeAt: Number.NEGATIVE_INFINITY,
      timer: undefined,
    };
    this.lanes.set(key, lane);
    return lane;
  }
}

function isIdle({ active, waiting, freeAt }: Lane, now: number): boolean {
  return active.size + waiting.length === 0 && now >= freeAt;
}

function checked(options: GuildMembersOptions): Settings {
  const { query, limit, userIds, ...settings } = resolveOptions<Settings>('requestGuildMembers', DEFAULTS, options, {
    guildId: (value) => (typeof value === 'string' && isSnowflake(value) ? undefined : 'must be a guild id'),
    query: (value) => (typeof value === 'string' ? undefined : 'must be a string'),
    limit: check.integer(0),
    userIds: (value) =>
      value === undefined || isIdList(value) ? undefined : `must be a list of 1 to ${MAX_USER_IDS} user ids`,
    presences: check.boolean(),
    timeoutMs: check.integer(1, MAX_OPTION_MS),
  });
  if (userIds !== undefined && (query !== '' || limit !== 0)) {
    throw new TypeError('requestGuildMembers: "userIds" goes without "query" and "limit"');
  }
  return { ...settings, query, limit, userIds };
}

function isIdList(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= MAX_USER_IDS &&
    value.every((id) => typeof id === 'string' && isSnowflake(id))
  );
}

/** Docs, Gateway Events: Request Guild Members: without them Discord answers something else than what was asked. */
function missingIntents(
  { userIds, query, presences }: Pick<Settings, 'userIds' | 'query' | 'presences'>,
  intents: number,
): GatewayIntentName[] {
  const needed: GatewayIntentName[] = [];
  if (userIds === undefined && query === '') needed.push('GuildMembers');
  if (presences) needed.push('GuildPresences');
  return needed.filter((name) => (intents & INTENTS[name]) === 0);
}

function resultOf({ members, notFound, presences }: ChunkCollector): GuildMembersResult {
  return { members, notFound, presences };
}

async function* iterate(
  pending: Pending,
  result: Promise<GuildMembersResult>,
): AsyncGenerator<APIGuildMember, void, undefined> {
  const { members } = pending.collector;
  for (let at = 0; ; ) {
    // Taken before the look, so that nothing falls between the two.
    const { promise } = pending.news;
    for (; at < members.length; at += 1) yield members[at] as APIGuildMember;
    if (pending.over.signal.aborted) {
      // After the last of them, or the failure.
      await result;
      if (at >= members.length) return;
    } else await promise;
  }
}

function createNews(): Pending['news'] {
  let tell: () => void = () => {};
  const promise = new Promise<void>((resolve) => {
    tell = resolve;
  });
  return { promise, tell };
}

/** Wakes who iterates. */
function renewNews(pending: Pending): void {
  const { news } = pending;
  pending.news = createNews();
  news.tell();
}
