/** Owns the wait of one `connect()`: until every shard is ready and the guilds have come, at most so long for those. */
import type { Clock, Logger } from '@guildkit/core';
import type { DispatchSink } from './dispatch-router.js';
import { GatewayError } from './errors.js';
import { fields, text } from './protocol/fields.js';
import { isGuildDispatch, type Readiness } from './protocol/readiness.js';

/** What a wait needs of its client. */
export interface ConnectWaitOptions {
  readonly progress: Readiness;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long guilds are waited for once every shard is ready. */
  readonly guildsTimeoutMs: number;
  /** Called once, before `done` settles. */
  onSettled(): void;
}

/** A `connect()` that is under way. */
export class ConnectWait implements DispatchSink {
  /** Resolves when connected; rejects when that cannot be any more. */
  readonly done: Promise<void>;
  private resolve: () => void = () => {};
  private reject: (error: GatewayError) => void = () => {};
  private timer: unknown;

  constructor(private readonly options: ConnectWaitOptions) {
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  get progress(): Readiness {
    return this.options.progress;
  }

  wants(dispatch: string): boolean {
    return isGuildDispatch(dispatch);
  }

  push(_dispatch: string, data: unknown): void {
    const guildId = text(fields(data), 'id');
    if (guildId !== undefined) this.progress.guildSettled(guildId);
    this.check();
  }

  /** Looks whether it is over, after each thing that can make it so. */
  check(): void {
    const { progress, clock, logger, guildsTimeoutMs } = this.options;
    if (!progress.shardsReady) return;
    const { unknown } = progress;
    if (unknown.length > 0) {
      this.settle(new GatewayError('ERR_GATEWAY_GUILD_UNKNOWN', `The bot is not in guild ${unknown.join(', ')}`));
    } else if (progress.done) {
      this.settle();
    } else {
      this.timer ??= clock.setTimer(() => {
        logger.warn({ guildIds: progress.missing }, 'guilds are unavailable; going on without them');
        this.settle();
      }, guildsTimeoutMs);
    }
  }

  settle(error?: GatewayError): void {
    this.options.clock.clearTimer(this.timer);
    this.options.onSettled();
    if (error === undefined) this.resolve();
    else this.reject(error);
  }
}

/** Rejects with the signal's reason when it fires. */
export function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
