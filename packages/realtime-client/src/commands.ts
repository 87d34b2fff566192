/**
 * Owns commands on their way to the server: ids, promises, the transport they ride on. Refuses the connection: it sees
 * frames pass by, and is no part of a page that sends no commands.
 */
import { type Clock, createDriver, systemClock } from '@guildkit/core';
import { CommandError, type CommandErrorCode } from './errors.js';
import type { Transport, TransportConnection } from './io/transport.js';
import { type CommandOutcome, commandQueueReducer, NO_COMMANDS } from './protocol/command-queue.js';
import { fieldsOf, parseFrame, textOf } from './protocol/frame.js';

/** Settings of {@link createCommandQueue}. */
export interface CommandQueueOptions {
  /** Patience with each command, from the call to the answer. @defaultValue 10_000: as long as the server keeps one */
  readonly timeoutMs?: number | undefined;
  /**
   * Commands that may wait at a time. Another is rejected at once.
   *
   * @defaultValue 32: all are sent in a burst after a reconnect, and the hub bounds frames per second
   */
  readonly maxPending?: number | undefined;
  /** @defaultValue the system's */
  readonly clock?: Clock | undefined;
}

/** Settings of one command. */
export interface CommandOptions {
  /**
   * Makes the call one that can be repeated: the server carries one id out once.
   *
   * @defaultValue a random one
   */
  readonly id?: string | undefined;
  /** Patience with this command, ms. */
  readonly timeoutMs?: number | undefined;
  /** Gives the command up. What was sent may be carried out all the same. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Shows the outcome before it is known: called at once, and what it returns is called when the command fails.
   */
  readonly optimistic?: (() => () => void) | undefined;
}

/**
 * Names, inputs and results of an app's commands. Empty by itself; extend it by declaration merging, and
 * `client.command()` knows them:
 *
 * ```ts no-check
 * declare module '@guildkit/realtime-client' {
 *   interface ClientCommands {
 *     sendMessage: { input: { channelId: string; content: string }; result: { messageId: string } };
 *   }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: declaration merging fills it
export interface ClientCommands {}

/** The input of a command: `unknown` for one that {@link ClientCommands} does not name. */
export type CommandInput<N extends string> = N extends keyof ClientCommands
  ? ClientCommands[N] extends { readonly input: infer I }
    ? I
    : unknown
  : unknown;

/** The result of a command: `unknown` for one that {@link ClientCommands} does not name. */
export type CommandResult<N extends string> = N extends keyof ClientCommands
  ? ClientCommands[N] extends { readonly result: infer R }
    ? R
    : unknown
  : unknown;

/** Sends commands over whatever transport it is laid upon. */
export interface CommandQueue {
  /** Commands without an answer. */
  readonly pending: number;
  /**
   * Sends a command, as soon as there is a connection.
   *
   * @returns what the server gives.
   * @throws CommandError with any code of {@link CommandErrorCode}.
   */
  send<N extends string>(name: N, input: CommandInput<N>, options?: CommandOptions): Promise<CommandResult<N>>;
  /** The transport with commands on it. The client calls this; one queue serves one client. */
  over(transport: Transport): Transport;
}

/** A call that waits. */
interface Call {
  readonly name: string;
  settle(outcome: CommandOutcome): void;
}

/** How the ids that are made here begin. */
const OWN_ID = 'c-';
/** What the hub says of itself while it goes away: another connection will answer. */
const GOING_AWAY = 'ERR_HUB_DRAINING';

/** Makes a queue of commands, for the option `commands` of a client. */
export function createCommandQueue(options: CommandQueueOptions = {}): CommandQueue {
  const { timeoutMs = 10_000, maxPending = 32, clock = systemClock } = options;
  const calls = new Map<string, Call>();
  let connection: TransportConnection | undefined;

  const driver = createDriver({
    reducer: commandQueueReducer(maxPending),
    initial: NO_COMMANDS,
    clock,
    run(effect) {
      if (effect.type === 'send') connection?.send(JSON.stringify(effect.frame));
      else {
        const call = calls.get(effect.id);
        calls.delete(effect.id);
        call?.settle(effect.outcome);
      }
    },
    // A transport that cannot send has lost the connection, and says so by itself.
    onEffectError: () => driver.dispatch({ type: 'lost' }),
  });

  /** Takes what concerns commands out of what the hub says. */
  function watch(data: unknown): boolean {
    const { open, pending } = driver.state;
    // Events are most of what comes, and none of them names a frame that it answers.
    if (typeof data !== 'string' || (open && !data.includes('"re":'))) return false;
    const frame = parseFrame(data);
    if (frame === undefined) return false;
    const { type, event, re = '', payload } = frame;
    const isGreeting = event === 'sys.welcome' && fieldsOf(payload).authTimeoutMs === 0;
    if (!open && (isGreeting || (type === 'ack' && event === 'auth'))) {
      // The client reads the frame first: what follows comes after its own `subscribe`.
      queueMicrotask(() => connection && !driver.state.open && driver.dispatch({ type: 'opened' }));
    }
    // The answer to one that was given up concerns nobody.
    if (!pending.has(re)) return re.startsWith(OWN_ID);
    if (fieldsOf(payload).code !== GOING_AWAY) {
      driver.dispatch({ type: 'answered', id: re, ok: type === 'ack', payload });
    }
    return true;
  }

  return {
    get pending() {
      return driver.state.pending.size;
    },
    send(name, input, { id = randomId(), timeoutMs: forMs = timeoutMs, signal, optimistic } = {}) {
      return new Promise((resolve, reject) => {
        if (calls.has(id)) throw new TypeError(`command "${name}": id "${id}" is under way`);
        if (!(forMs > 0)) throw new TypeError(`command "${name}": bad timeoutMs`);
        // Before anything is shown: what cannot be sent throws here.
        JSON.stringify(input);
        if (signal?.aborted) throw new CommandError({ code: 'ERR_REALTIME_COMMAND_ABORTED', command: name });
        const undo = optimistic?.();
        const abort = (): void => driver.dispatch({ type: 'abort', id });
        signal?.addEventListener('abort', abort, { once: true });
        calls.set(id, {
          name,
          settle(outcome) {
            signal?.removeEventListener('abort', abort);
            if (outcome.type === 'done') {
              resolve(fieldsOf(outcome.payload).result as never);
            } else {
              reject(errorOf(name, outcome, signal));
              undo?.();
            }
          },
        });
        // JSON has no `undefined`.
        driver.dispatch({ type: 'call', id, name, input: input ?? null, forMs });
      });
    },
    over: (transport) => ({
      connect({ onMessage, onClose }, hint) {
        const made = transport.connect(
          {
            onMessage: (data) => watch(data) || onMessage(data),
            onClose(close) {
              connection = undefined;
              driver.dispatch({ type: 'lost' });
              onClose(close);
            },
          },
          hint,
        );
        connection = made;
        return {
          send: (text) => made.send(text),
          close(code, reason) {
            connection = undefined;
            // The client closes with 1000 when it was told to, else because it will come back.
            driver.dispatch({ type: code === 1000 ? 'closed' : 'lost' });
            made.close(code, reason);
          },
        };
      },
    }),
  };
}

const CODES = {
  refused: 'REFUSED',
  timeout: 'TIMEOUT',
  aborted: 'ABORTED',
  closed: 'CLOSED',
  full: 'OVERFLOW',
} as const;

function errorOf(
  command: string,
  outcome: Exclude<CommandOutcome, { readonly type: 'done' }>,
  signal: AbortSignal | undefined,
): CommandError {
  const code: CommandErrorCode = `ERR_REALTIME_COMMAND_${CODES[outcome.type]}`;
  if (outcome.type === 'refused') {
    const { code: detail, fields, retryAfterMs } = fieldsOf(outcome.payload);
    return new CommandError({
      code,
      command,
      detail: textOf(detail),
      fields: Array.isArray(fields) ? fields : undefined,
      retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : undefined,
    });
  }
  return new CommandError({
    code,
    command,
    isUnsure: outcome.type !== 'full' && outcome.sent,
    cause: outcome.type === 'aborted' ? signal?.reason : undefined,
  });
}

/** 100 bits and more: ids of one user must differ across tabs and visits. `crypto` needs a secure context. */
function randomId(): string {
  const part = (): string => Math.random().toString(36).slice(2);
  return OWN_ID + part() + part();
}
