/** Owns the way of a command: known, well-formed, allowed, within limits, done once, answered. */

import { createHash } from 'node:crypto';
import { messageOf, toLogText } from '@guildkit/core';
import type { CommandAnswer, IncomingCommand } from '../shared/command.js';
import { memoryAnswerStore } from './answer-store.js';
import { refusalOf, refuse } from './answers.js';
import {
  type CommandAudit,
  type CommandBusOptions,
  type CommandBusSettings,
  type CommandStats,
  resolveCommandBusOptions,
} from './command-bus-options.js';
import { type CommandContext, type CommandDefinition, fieldsOf } from './definition.js';
import { CommandError } from './errors.js';
import { WaitingLine } from './protocol/waiting-line.js';
import { SingleFlight } from './single-flight.js';
import { createTokenBucket, type TokenBucket } from './token-bucket.js';

/** Beyond the waiting line and the run: what roles and buckets may take, in ms. */
const LEASE_MARGIN_MS = 5_000;

interface Queued {
  readonly start: () => void;
  readonly giveUp: (error: CommandError) => void;
}

/** A command that was let through, before it is carried out. */
interface Admitted {
  readonly definition: CommandDefinition;
  readonly input: never;
  readonly channelId: string | undefined;
  readonly roles: readonly string[];
}

/**
 * Carries out the commands of clients.
 *
 * @example
 * ```ts
 * import { CommandBus, defineCommand } from '@guildkit/server-kit/commands';
 * import * as z from 'zod';
 *
 * const say = defineCommand({
 *   input: z.object({ channelId: z.string(), text: z.string().max(2_000) }),
 *   roles: ['chat:write'],
 *   channel: ({ channelId }) => channelId,
 *   run: ({ text }, { principal }) => ({ said: `${principal.userId}: ${text}` }),
 * });
 * export const bus = new CommandBus({ commands: { say } });
 * ```
 */
export class CommandBus {
  /** Takes a command: what a hub's `onCommand` wants. Bound. Never rejects. */
  readonly handle: (command: IncomingCommand) => Promise<CommandAnswer>;

  private readonly settings: CommandBusSettings;
  private readonly userBucket: TokenBucket | undefined;
  private readonly channelBucket: TokenBucket | undefined;
  private readonly line: WaitingLine<Queued>;
  private readonly flights: SingleFlight;
  private readonly outcomes: Record<string, number> = {};
  private readonly aborters = new Set<AbortController>();
  private readonly stopListening: (() => void) | undefined;
  private repeated = 0;
  private timer: unknown;
  private isClosed = false;

  /** @throws TypeError on options that are unknown, missing or out of range, and on commands that nobody could carry out. */
  constructor(options: CommandBusOptions) {
    this.settings = resolveCommandBusOptions(options);
    const { link, clock, logger, userBucket, channelBucket } = this.settings;
    const { maxQueued, queueTimeoutMs, runTimeoutMs, maxRemembered, rememberMs, answers } = this.settings;
    this.userBucket = userBucket === false ? undefined : (userBucket ?? createTokenBucket({ clock }));
    this.channelBucket = channelBucket === false ? undefined : (channelBucket ?? createTokenBucket({ clock }));
    this.line = new WaitingLine(maxQueued, queueTimeoutMs);
    this.flights = new SingleFlight({
      store: answers ?? memoryAnswerStore({ maxEntries: maxRemembered, clock }),
      clock,
      logger,
      leaseMs: queueTimeoutMs + runTimeoutMs + LEASE_MARGIN_MS,
      keepMs: rememberMs,
      patienceMs: runTimeoutMs,
    });
    this.stopListening = link?.onUp(() => {
      for (const { start } of this.line.drain()) start();
      this.arm();
    });
    this.handle = (command) => this.take(command);
  }

  /** The bus in numbers. */
  stats(): CommandStats {
    const { line, aborters, outcomes, repeated } = this;
    return { queued: line.size, running: aborters.size, outcomes: { ...outcomes }, repeated };
  }

  /**
   * Refuses further commands, and those that wait; what is being carried out is told by its signal. Idempotent.
   *
   * @returns When all are answered and the answers kept, at the latest after `runTimeoutMs`: then the store may go.
   */
  async close(): Promise<void> {
    this.isClosed = true;
    this.flights.close();
    this.stopListening?.();
    for (const { giveUp } of this.line.drain()) giveUp(new CommandError('ERR_COMMAND_CLOSED'));
    this.arm();
    for (const aborter of this.aborters) aborter.abort(new CommandError('ERR_COMMAND_CLOSED'));
    await this.flights.idle(this.settings.runTimeoutMs);
  }

  private async take(command: IncomingCommand): Promise<CommandAnswer> {
    const { clock } = this.settings;
    const { principal, name, input, requestId } = command;
    const key = JSON.stringify([principal.userId, requestId]);
    const fingerprint = createHash('sha256')
      .update(JSON.stringify([name, input]))
      .digest('base64url');
    const begun = clock.now();
    const { answer, how } = await this.flights.take(key, fingerprint, (onTried) => this.carryOut(command, onTried));
    if (how === 'refused') return this.finish(command, begun, answer, undefined);
    if (how === 'repeated') this.repeated += 1;
    return answer;
  }

  private async carryOut(command: IncomingCommand, onTried: () => void): Promise<CommandAnswer> {
    const begun = this.settings.clock.now();
    let channelId: string | undefined;
    try {
      if (this.isClosed) return this.finish(command, begun, refuse('ERR_COMMAND_CLOSED'), undefined);
      const signal = new AbortController();
      const admitted = await this.admit(command, signal.signal);
      if ('ok' in admitted) return this.finish(command, begun, admitted, undefined);
      channelId = admitted.channelId;
      const result = await this.run(command, admitted, signal, onTried);
      const latencyMs = this.settings.clock.now() - begun;
      return this.finish(command, begun, { ok: true, result: asJson(result), latencyMs }, channelId);
    } catch (error) {
      const refusal = refusalOf(error);
      const { logger } = this.settings;
      const { name, traceId } = command;
      const level = refusal.error.status >= 500 ? 'warn' : 'debug';
      logger[level]({ name: toLogText(name), traceId, error: toLogText(messageOf(error)) }, 'command failed');
      return this.finish(command, begun, refusal, channelId);
    }
  }

  private async admit(
    command: IncomingCommand,
    signal: AbortSignal,
  ): Promise<Admitted | (CommandAnswer & { ok: false })> {
    const { commands, resolveUser } = this.settings;
    const { name, principal, requestId, traceId, sentAt } = command;
    const definition = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (definition === undefined) return refuse('ERR_COMMAND_UNKNOWN');
    const parsed = definition.input.safeParse(command.input);
    if (!parsed.success) return refuse('ERR_COMMAND_INPUT_INVALID', { fields: fieldsOf(parsed.error.issues) });
    const { roles } = resolveUser === undefined ? principal : await resolveUser(principal);
    if (definition.roles?.some((role) => !roles.includes(role))) return refuse('ERR_COMMAND_FORBIDDEN');
    const context: CommandContext = { name, requestId, traceId, sentAt, principal, roles, signal };
    if (definition.allow !== undefined && (await definition.allow(parsed.data, context)) !== true) {
      return refuse('ERR_COMMAND_FORBIDDEN');
    }
    const channelId = definition.channel?.(parsed.data);
    const retryAfterMs = definition.limited === false ? 0 : await this.charge(principal.userId, channelId);
    if (retryAfterMs > 0) return refuse('ERR_COMMAND_RATE_LIMITED', { retryAfterMs });
    return { definition, input: parsed.data, channelId, roles };
  }

  /** Takes from both buckets or from none. Gives when both will have a token, or 0. */
  private async charge(userId: string, channelId: string | undefined): Promise<number> {
    const { userBucket, channelBucket } = this;
    const user = await userBucket?.take(`user ${userId}`);
    if (user?.allowed === false) return user.retryAfterMs;
    const channel = channelId === undefined ? undefined : await channelBucket?.take(`channel ${channelId}`);
    if (channel?.allowed !== false) return 0;
    await userBucket?.give(`user ${userId}`);
    return channel.retryAfterMs;
  }

  private async run(
    command: IncomingCommand,
    { definition, input, roles }: Admitted,
    aborter: AbortController,
    onTried: () => void,
  ): Promise<unknown> {
    const { link } = this.settings;
    const { name, requestId, traceId, sentAt, principal } = command;
    const { signal } = aborter;
    if (definition.run !== undefined) {
      const { run } = definition;
      const context: CommandContext = { name, requestId, traceId, sentAt, principal, roles, signal };
      onTried();
      return this.inTime(aborter, async () => run(input, context));
    }
    if (link === undefined) throw new CommandError('ERR_COMMAND_LINK_DOWN');
    if (!link.isUp()) await this.wait();
    onTried();
    const { userId } = principal;
    return this.inTime(aborter, () => link.send({ name, input, requestId, traceId, sentAt, userId }, signal));
  }

  /** Resolves when the link is up. */
  private wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      const isIn = this.line.push({ start: resolve, giveUp: reject }, this.settings.clock.now());
      if (isIn) this.arm();
      else reject(new CommandError('ERR_COMMAND_QUEUE_FULL', { retryable: true, retryAfterMs: 1_000 }));
    });
  }

  /** One timer, for the first that gives up. */
  private arm(): void {
    const { clock } = this.settings;
    clock.clearTimer(this.timer);
    const { deadline } = this.line;
    this.timer = undefined;
    if (deadline === undefined) return;
    const onTimer = (): void => {
      const late = this.line.expire(clock.now());
      for (const { giveUp } of late) giveUp(new CommandError('ERR_COMMAND_LINK_DOWN', { retryable: true }));
      this.arm();
    };
    this.timer = clock.setTimer(onTimer, Math.max(1, deadline - clock.now()));
  }

  private async inTime<T>(aborter: AbortController, work: () => Promise<T>): Promise<T> {
    const { clock, runTimeoutMs } = this.settings;
    const { signal } = aborter;
    const ended = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    const timer = clock.setTimer(() => aborter.abort(new CommandError('ERR_COMMAND_TIMEOUT')), runTimeoutMs);
    this.aborters.add(aborter);
    try {
      return await Promise.race([work(), ended]);
    } finally {
      clock.clearTimer(timer);
      this.aborters.delete(aborter);
    }
  }

  private finish(
    { name, principal, requestId, traceId, sentAt }: IncomingCommand,
    begun: number,
    answer: CommandAnswer,
    channelId: string | undefined,
  ): CommandAnswer {
    const { logger, audit, clock } = this.settings;
    const outcome = answer.ok ? 'ok' : answer.error.code;
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
    const entry: CommandAudit = {
      name: toLogText(name, 64),
      userId: toLogText(principal.userId),
      requestId: toLogText(requestId, 64),
      traceId: toLogText(traceId),
      sentAt,
      latencyMs: Math.round((clock.now() - begun) * 1_000) / 1_000,
      outcome,
      status: answer.ok ? 200 : answer.error.status,
      ...(channelId === undefined ? {} : { channelId }),
    };
    logger.info({ ...entry }, 'command');
    audit?.(entry);
    return answer;
  }
}

/** What JSON cannot hold is no result: it could not be told. */
function asJson(result: unknown): unknown {
  try {
    const json = JSON.stringify(result);
    return json === undefined ? null : JSON.parse(json);
  } catch {
    return null;
  }
}
