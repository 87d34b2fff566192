/** Owns what this package needs of a Redis client: node-redis fits, and so does anything of that shape. */

/** Keys and arguments of a script. */
export interface RedisScriptOptions {
  keys: string[];
  arguments: string[];
}

/** Runs scripts. What `createClient` of the package `redis` gives, connected. */
export interface RedisScriptClient {
  evalSha(sha: string, options: RedisScriptOptions): Promise<unknown>;
  eval(script: string, options: RedisScriptOptions): Promise<unknown>;
  /** `false`: nothing is sent, the call fails at once. A client without it is asked and waited for. */
  readonly isReady?: boolean | undefined;
}

/** A connection that listens. Subscribes again by itself when it was cut. */
export interface RedisSubscriber {
  connect(): Promise<unknown>;
  sSubscribe(channel: string, listener: (message: string) => unknown): Promise<unknown>;
  sUnsubscribe(channel: string, listener: (message: string) => unknown): Promise<unknown>;
  on(event: 'ready', listener: () => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  destroy(): void;
}

/** Runs scripts, and makes the second connection that an engine listens on. */
export interface RedisClient extends RedisScriptClient {
  duplicate(): RedisSubscriber;
}
