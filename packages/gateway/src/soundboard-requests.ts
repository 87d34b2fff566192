/**
 * Owns requests for soundboard sounds (Discord docs, Gateway Events: Request Soundboard Sounds): one answer a guild,
 * without a nonce. Refuses sockets: the client sends.
 */
import { check, resolveOptions } from '@guildkit/core';
import type { APISoundboardSound, GatewayRequestSoundboardSounds } from 'discord-api-types/v10';
import { GatewayError } from './errors.js';
import type { RequestContext } from './member-requests.js';
import { MAX_OPTION_MS } from './options.js';
import { fields, objects, text } from './protocol/fields.js';
import { OPCODES } from './protocol/frames.js';
import { isSnowflake } from './protocol/snowflake.js';

/** Options of a request for soundboard sounds. */
export interface SoundboardSoundsOptions {
  /** Withdraws the request. */
  readonly signal?: AbortSignal | undefined;
  /** For all answers, ms. @defaultValue 30000 */
  readonly timeoutMs?: number | undefined;
}

/** Sounds by guild id. */
export type SoundboardSounds = ReadonlyMap<string, readonly APISoundboardSound[]>;

interface Pending {
  readonly missing: Set<string>;
  readonly sounds: Map<string, readonly APISoundboardSound[]>;
  readonly over: AbortController;
  /** Ids that were handed to the socket. */
  readonly out: Set<string>;
  settle(error?: GatewayError): void;
}

/** So many ids, of 20 digits each, fit into the 4096 bytes of a payload. */
const IDS_IN_PAYLOAD = 150;

const DEFAULTS = { signal: undefined, timeoutMs: 30_000 } as const satisfies Record<
  keyof SoundboardSoundsOptions,
  unknown
>;

/** The requests for soundboard sounds of one client. */
export class SoundboardRequests {
  private readonly pending = new Set<Pending>();

  constructor(private readonly context: RequestContext) {}

  /** @throws TypeError when the options make no sense. */
  request(guildIds: readonly string[], options: SoundboardSoundsOptions): Promise<SoundboardSounds> {
    if (!Array.isArray(guildIds) || !guildIds.every((id) => typeof id === 'string' && isSnowflake(id))) {
      throw new TypeError('requestSoundboardSounds: "guildIds" must be a list of guild ids');
    }
    const { signal, timeoutMs } = resolveOptions<{ signal: AbortSignal | undefined; timeoutMs: number }>(
      'requestSoundboardSounds',
      DEFAULTS,
      options,
      { timeoutMs: check.integer(1, MAX_OPTION_MS) },
    );
    const { clock } = this.context;
    const sounds = new Map<string, readonly APISoundboardSound[]>();
    const missing = new Set(guildIds);
    if (missing.size === 0) return Promise.resolve(sounds);
    return new Promise((resolve, reject) => {
      const fail = (code: 'ERR_GATEWAY_REQUEST_TIMEOUT' | 'ERR_GATEWAY_REQUEST_ABORTED', why: string): void =>
        pending.settle(
          new GatewayError(code, `The sounds of guild ${[...missing].join(', ')} did not come: ${why}`, {
            retryable: code === 'ERR_GATEWAY_REQUEST_TIMEOUT',
            cause: signal?.aborted ? signal.reason : undefined,
          }),
        );
      const onAbort = (): void => fail('ERR_GATEWAY_REQUEST_ABORTED', 'the signal fired');
      const timer = clock.setTimer(() => fail('ERR_GATEWAY_REQUEST_TIMEOUT', `${timeoutMs} ms are over`), timeoutMs);
      const pending: Pending = {
        missing,
        sounds,
        over: new AbortController(),
        out: new Set(),
        settle: (error) => {
          pending.settle = () => {};
          clock.clearTimer(timer);
          signal?.removeEventListener('abort', onAbort);
          this.pending.delete(pending);
          pending.over.abort();
          if (error === undefined) resolve(sounds);
          else reject(error);
        },
      };
      this.pending.add(pending);
      if (signal?.aborted) onAbort();
      else {
        signal?.addEventListener('abort', onAbort, { once: true });
        this.transmit(pending, guildIds);
      }
    });
  }

  /** Takes a SOUNDBOARD_SOUNDS. Whoever asked for that guild is answered. */
  onSounds(data: unknown): void {
    const guildId = text(fields(data), 'guild_id');
    if (guildId === undefined) return;
    const sounds = objects(fields(data), 'soundboard_sounds') as unknown as APISoundboardSound[];
    for (const pending of [...this.pending]) {
      if (!pending.missing.delete(guildId)) continue;
      pending.sounds.set(guildId, sounds);
      if (pending.missing.size === 0) pending.settle();
    }
  }

  /** After a resume or a new session: what was asked before may have been lost. */
  onConnected(shardId: number): void {
    for (const pending of this.pending) {
      const ids = [...pending.missing].filter((id) => pending.out.has(id) && this.context.shardOf(id) === shardId);
      if (ids.length > 0) this.transmit(pending, ids);
    }
  }

  /** Ends every request. */
  close(error: GatewayError): void {
    for (const pending of [...this.pending]) pending.settle(error);
  }

  private transmit(pending: Pending, guildIds: readonly string[]): void {
    const byShard = new Map<number, string[]>();
    for (const id of new Set(guildIds)) {
      const shardId = this.context.shardOf(id);
      byShard.set(shardId, [...(byShard.get(shardId) ?? []), id]);
    }
    for (const [shardId, ids] of byShard) {
      for (let from = 0; from < ids.length; from += IDS_IN_PAYLOAD) {
        const lot = ids.slice(from, from + IDS_IN_PAYLOAD);
        for (const id of lot) pending.out.delete(id);
        const op = OPCODES.requestSoundboardSounds as GatewayRequestSoundboardSounds['op'];
        this.context.send({ op, d: { guild_ids: lot } }, { shardId, signal: pending.over.signal }).then(
          () => {
            for (const id of lot) pending.out.add(id);
          },
          (error: GatewayError) => pending.settle(error),
        );
      }
    }
  }
}
