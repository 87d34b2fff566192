/** Owns what this package needs of a Redis client: node-redis fits, and so does anything of that shape. */

/** Keys and arguments of a script. */
export interface RedisScriptOptions {
  keys: string[];
  arguments: string[];
}

/** Runs scripts. What `createClient` of the package `redis` gives, connected. */
export interface RedisScriptClient {
  /** Runs a script that the server has by its SHA1; rejects with NOSCRIPT for one that it has not. */
  evalSha(sha: string, options: RedisScriptOptions): Promise<unknown>;
  /** Runs a script, and lets the server keep it. */
  eval(script: string, options: RedisScriptOptions): Promise<unknown>;
  /** `false`: nothing is sent, the call fails at once. A client without it is asked and waited for. */
  readonly isReady?: boolean | undefined;
}

/** A connection that listens. Subscribes again by itself when it was cut. */
export interface RedisSubscriber {
  /** Connects. Called once. */
  connect(): Promise<unknown>;
  /** Listens to a channel of the shard that its name belongs to. */
  sSubscribe(channel: string, listener: (message: string) => unknown): Promise<unknown>;
  /** Ends that. */
  sUnsubscribe(channel: string, listener: (message: string) => unknown): Promise<unknown>;
  /** Calls back whenever it is connected. */
  on(event: 'ready', listener: () => void): unknown;
  /** Calls back with what goes wrong; a client without a listener would end the process. */
  on(event: 'error', listener: (error: unknown) => void): unknown;
  /** Ends it at once. */
  destroy(): void;
}

/** Runs scripts, and makes the second connection that an engine listens on. */
export interface RedisClient extends RedisScriptClient {
  /** A client of the same settings, not connected yet. */
  duplicate(): RedisSubscriber;
}
