/** Owns what every store shares: its options, its runner and the names of its keys. */
import { type Clock, check, resolveOptions, systemClock } from '@guildkit/core';
import type { RedisScriptClient } from './port.js';
import { ScriptRunner } from './scripts.js';

/** Settings of every store. */
export interface RedisStoreOptions {
  /** A connected client, which stays yours. */
  readonly client: RedisScriptClient;
  /** Of every key. @defaultValue 'guildkit' */
  readonly prefix?: string | undefined;
  /** How long Redis may take to answer, in ms. @defaultValue 2000: whoever waits for a store is in a request */
  readonly commandTimeoutMs?: number | undefined;
  /** The server's time is gone by unless one is given: for tests. */
  readonly clock?: Clock | undefined;
}

const DEFAULTS = {
  client: undefined as RedisScriptClient | undefined,
  prefix: 'guildkit',
  commandTimeoutMs: 2_000,
  clock: undefined as Clock | undefined,
};

/** What a store works with. */
export interface StoreBase {
  readonly runner: ScriptRunner;
  readonly prefix: string;
  /** The time for a script: `''` for the server's. */
  time(): string;
}

/** @throws TypeError on options out of range. */
export function storeBase(owner: string, options: RedisStoreOptions): StoreBase {
  const { client, prefix, commandTimeoutMs, clock } = resolveOptions(owner, DEFAULTS, options, {
    client: (value) => (typeof value === 'object' && value !== null ? undefined : 'must be a client'),
    commandTimeoutMs: check.integer(1),
  });
  return {
    // Answers come in real time, whatever the time of the store is.
    runner: new ScriptRunner(client as RedisScriptClient, commandTimeoutMs, systemClock),
    prefix,
    time: () => (clock === undefined ? '' : String(Math.floor(clock.wallTime()))),
  };
}
