/**
 * Owns how a script is run: by its hash, its text where the server does not know it (a restart, SCRIPT FLUSH), and not
 * for ever: a stopped server keeps its connections open and answers nothing.
 */
import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { Clock } from '@guildkit/core';
import { RedisError } from '../errors.js';
import type { RedisScriptClient } from './port.js';

/** A script and its name on the server. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** Names a script. */
export function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/**
 * The time of a script, in unix ms: what it is told, else the server's, so that processes whose clocks differ agree.
 * Numbers beyond 1e14 would be written as 1e+14.
 */
export const LUA_BASICS = `
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function int(n) return string.format('%.0f', n) end
`;

/**
 * Names the server's history: another one after a restart and after a fail-over, where what was acknowledged may be gone.
 * In a cluster each node has its own.
 */
export const LUA_HISTORY = `
local function history() return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or '' end
`;

/** Waits for a promise, and no longer than that. */
export function within<T>(promise: Promise<T>, ms: number, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(() => reject(new RedisError('ERR_REDIS_COMMAND_TIMEOUT')), ms);
    promise.then(
      (value) => {
        clock.clearTimer(timer);
        resolve(value);
      },
      (error: unknown) => {
        clock.clearTimer(timer);
        reject(RedisError.is(error) ? error : new RedisError('ERR_REDIS_COMMAND_FAILED', error));
      },
    );
  });
}

/** So many commands, and those of so many ms, share a signal: adding a listener looks at all that it has. */
const SHARED_BY = 32;
const SHARED_MS = 100;

/** What node-redis has beside the port: the same client with other options for each command. */
interface WithCommandOptions {
  withCommandOptions(options: { timeout: undefined; abortSignal: AbortSignal }): RedisScriptClient;
}

const hasOptions = (client: object): client is WithCommandOptions =>
  'withCommandOptions' in client && typeof client.withCommandOptions === 'function';

/** Runs scripts on one client. */
export class ScriptRunner {
  private readonly client: RedisScriptClient;
  private readonly timeoutMs: number;
  private readonly clock: Clock;
  private sharing: RedisScriptClient;
  private sharedUntil = Number.NEGATIVE_INFINITY;
  private sharers = 0;

  constructor(client: RedisScriptClient, timeoutMs: number, clock: Clock) {
    this.client = client;
    this.sharing = client;
    this.timeoutMs = timeoutMs;
    this.clock = clock;
  }

  /**
   * Runs a script.
   *
   * @throws RedisError `ERR_REDIS_SERVER_UNAVAILABLE`, `ERR_REDIS_COMMAND_TIMEOUT`, `ERR_REDIS_COMMAND_FAILED`.
   */
  async run({ sha, text }: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    // A client that queues while it is away would send this long after the caller was told of a failure.
    if (this.client.isReady === false) throw new RedisError('ERR_REDIS_SERVER_UNAVAILABLE');
    const options = { keys: [...keys], arguments: args.map(String) };
    const client = this.shared();
    const answer = client.evalSha(sha, options).catch((error: unknown) => {
      if (error instanceof Error && error.message.startsWith('NOSCRIPT')) return client.eval(text, options);
      throw error;
    });
    return within(answer, this.timeoutMs, this.clock);
  }

  /**
   * The client, for the commands of a moment. node-redis makes an AbortSignal with a timer for each command, a third of
   * what a publish costs the process; here many share one. It withdraws what could not be sent at all, a moment after
   * the callers were told.
   */
  private shared(): RedisScriptClient {
    if (!hasOptions(this.client)) return this.client;
    // Not by the clock of the options: that one may stand still, and signals do not.
    const now = performance.now();
    this.sharers += 1;
    if (now >= this.sharedUntil || this.sharers > SHARED_BY) {
      this.sharedUntil = now + SHARED_MS;
      this.sharers = 1;
      const abortSignal = AbortSignal.timeout(this.timeoutMs + SHARED_MS);
      setMaxListeners(0, abortSignal);
      this.sharing = this.client.withCommandOptions({ timeout: undefined, abortSignal });
    }
    return this.sharing;
  }
}
