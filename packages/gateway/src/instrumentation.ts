/**
 * Owns the hooks by which a tracer follows the client, OpenTelemetry's or another: what is called, when, and that a
 * hook that fails or forgets costs no event.
 */
import type { DispatchMeta } from './events.js';
import type { Shard } from './io/shard.js';
import type { SessionCause, SessionPhase, SessionReason } from './protocol/session-types.js';

/** One try to connect a shard. */
export interface ConnectAttempt {
  readonly shardId: number;
  /** Failed tries before it. */
  readonly attempts: number;
  /** Whether a session is to be resumed. */
  readonly resume: boolean;
}

/** What came of a try to connect. */
export interface ConnectOutcome {
  readonly outcome: 'ready' | 'resumed' | 'failed' | 'closed';
  readonly reason: SessionReason;
  /** Close code or HTTP status, if that was the reason. */
  readonly code: number | undefined;
}

/** A dispatch that someone listens to. */
export interface TracedDispatch extends DispatchMeta {
  readonly name: string;
}

/** A payload that is sent, without its content. */
export interface TracedSend {
  readonly shardId: number;
  /** Discord docs, Opcodes and Status Codes: Gateway Opcodes. */
  readonly op: number;
  readonly bytes: number;
}

/**
 * Hooks for spans. All are optional, are called synchronously, and hold no secret. One that throws is told as `error`
 * and changes nothing.
 *
 * @example
 * ```ts no-check
 * const instrumentation: GatewayInstrumentation = {
 *   onConnect({ shardId, resume }) {
 *     const span = tracer.startSpan('gateway.connect', { attributes: { shardId, resume } });
 *     return ({ outcome }) => span.setAttribute('outcome', outcome).end();
 *   },
 *   onDispatch: ({ name, seq }, run) =>
 *     tracer.startActiveSpan(`gateway ${name}`, { attributes: { seq } }, (span) => {
 *       run();
 *       span.end();
 *     }),
 * };
 * ```
 */
export interface GatewayInstrumentation {
  /** A try to connect begins. What it returns is called when the shard is ready or resumed, or the try has failed. */
  onConnect?(attempt: ConnectAttempt): ((outcome: ConnectOutcome) => void) | undefined;
  /**
   * A dispatch is about to be told. `run` calls its listeners, so that what they start becomes part of the span. When
   * the hook has not called it, it is called afterwards. A dispatch that nobody listens to is not traced.
   */
  onDispatch?(dispatch: TracedDispatch, run: () => void): void;
  /** A payload of the user is sent. What it returns is called when that has settled, with the error if it failed. */
  onSend?(send: TracedSend): ((error: unknown) => void) | undefined;
}

/** Calls the hooks. Made only when there are any. */
export class Tracing {
  private readonly connects = new Map<number, (outcome: ConnectOutcome) => void>();

  constructor(
    private readonly hooks: GatewayInstrumentation,
    private readonly onFailure: (error: unknown, name: string) => void,
  ) {}

  /** A shard went into another phase. */
  phase({ id: shardId, state }: Shard, to: SessionPhase, { reason, code }: SessionCause): void {
    if (to === 'connecting') {
      const attempt = { shardId, attempts: state.attempts, resume: state.session !== undefined };
      const end = this.guarded('onConnect', () => this.hooks.onConnect?.(attempt));
      if (end !== undefined) this.connects.set(shardId, end);
      return;
    }
    const outcome = outcomeOf(to, reason);
    const end = this.connects.get(shardId);
    if (outcome === undefined || end === undefined) return;
    this.connects.delete(shardId);
    this.guarded('onConnect', () => end({ outcome, reason, code }));
  }

  dispatch(dispatch: TracedDispatch, run: () => void): void {
    let ran = false;
    const once = (): void => {
      if (ran) return;
      ran = true;
      run();
    };
    this.guarded('onDispatch', () => this.hooks.onDispatch?.(dispatch, once));
    once();
  }

  async send(send: TracedSend, run: () => Promise<void>): Promise<void> {
    const end = this.guarded('onSend', () => this.hooks.onSend?.(send));
    try {
      await run();
      if (end !== undefined) this.guarded('onSend', () => end(undefined));
    } catch (error) {
      if (end !== undefined) this.guarded('onSend', () => end(error));
      throw error;
    }
  }

  private guarded<T>(name: keyof GatewayInstrumentation, call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      this.onFailure(error, `instrumentation.${name}`);
      return undefined;
    }
  }
}

/** How a try to connect ended; `undefined` while it goes on. */
function outcomeOf(to: SessionPhase, reason: SessionReason): ConnectOutcome['outcome'] | undefined {
  switch (to) {
    case 'ready':
      return reason === 'resumed' ? 'resumed' : 'ready';
    case 'waiting':
      return 'failed';
    case 'closed':
      return 'closed';
    default:
      return undefined;
  }
}
