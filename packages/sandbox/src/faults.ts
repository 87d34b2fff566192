/** Owns the faults: what can be made to go wrong between the sandbox and its clients. */
import type { Clock } from '@guildkit/core';
import { type RestFault, type RestFaultOptions, RestFaults } from './faults-rest.js';
import { createVoiceFaults, type VoiceFaults } from './faults-voice.js';
import type { FaultTarget, GatewayHub, WithheldAnswer } from './io/gateway-hub.js';
import type { WithheldVoiceAnswer } from './io/voice-hub.js';
import type { TrafficLog } from './traffic.js';
import type { MediaFaultOptions } from './voice/media-fault-table.js';
import type { VoiceSide } from './voice/voice-side.js';

export type { RestFaultOptions } from './faults-rest.js';
export type { VoiceFaults } from './faults-voice.js';
export type { FaultTarget, WithheldAnswer } from './io/gateway-hub.js';
export type { VoiceTarget, WithheldVoiceAnswer } from './io/voice-hub.js';
export type { MediaFaultOptions } from './voice/media-fault-table.js';

/** How {@link Faults.refuseUpgrades} refuses. */
export interface UpgradeRefusalOptions {
  /**
   * An HTTP status from 400 to 599; `'reset'`: the TCP connection is reset; `'silence'`: it stays, without an answer.
   */
  readonly answer: number | 'reset' | 'silence';
  /** `Retry-After`, in seconds. Only with a status. */
  readonly retryAfterSeconds?: number | undefined;
  /** Refusals after which connections are accepted again. @defaultValue no limit */
  readonly count?: number | undefined;
  /** Time after which connections are accepted again, in ms. @defaultValue no limit */
  readonly forMs?: number | undefined;
}

/** What lasts of what {@link Faults} began. */
export interface LastingFaults {
  /** Whether heartbeats are answered. */
  readonly heartbeatAcks: boolean;
  /** Answers that are kept back. */
  readonly withheld: readonly WithheldAnswer[];
  /** How much later dispatches come, in ms. */
  readonly delayMs: number;
  /** How new gateway connections are refused; `undefined` while they are not. */
  readonly refusing: number | 'reset' | 'silence' | undefined;
  /** Faults that wait for REST requests. */
  readonly rest: number;
  /** Of the voice gateway: whether heartbeats are answered, and answers that are kept back. */
  readonly voice: { readonly heartbeatAcks: boolean; readonly withheld: readonly WithheldVoiceAnswer[] };
  /** What happens to media, and to whose. */
  readonly media: readonly MediaFaultOptions[];
}

/** Faults of the gateway, of REST and of voice. Each acts at once on everything that is connected, unless it says otherwise. */
export interface Faults {
  /**
   * Cuts connections; their sessions can be resumed.
   *
   * @param options `handshake`: with a close frame (4000), else the TCP connection is destroyed (the default);
   * `shardId`, `botId`: of one shard or bot.
   */
  cut(options?: { handshake?: boolean | undefined } & FaultTarget): void;
  /** Closes connections with a code. The codes that end a session end it here too. @throws RangeError for a code that no frame may carry. */
  closeWith(code: number, reason?: string, target?: FaultTarget): void;
  /** Asks clients to reconnect (opcode 7). */
  reconnect(target?: FaultTarget): void;
  /** Tells clients that their session is invalid (opcode 9). When not resumable the session is gone. */
  invalidateSession(options: { resumable: boolean } & FaultTarget): void;
  /** Asks clients for a heartbeat at once (opcode 1). */
  requestHeartbeat(target?: FaultTarget): void;
  /** Stops answering heartbeats, or answers again: a connection that looks alive and is not. */
  heartbeatAcks(answered: boolean): void;
  /**
   * Keeps an answer back, on every connection from now on, until {@link Faults.release}: `HELLO` is not sent, IDENTIFY
   * is not answered with `READY`, RESUME is not answered with a replay and `RESUMED`. What was asked meanwhile stays
   * unanswered.
   */
  withhold(what: WithheldAnswer): void;
  /** Gives a withheld answer again; all of them when nothing is named. */
  release(what?: WithheldAnswer): void;
  /** Delays every dispatch by some ms, in order, on every connection from now on; 0 for no longer. Heartbeats are answered at once. */
  delay(ms: number): void;
  /** Loses the next dispatches of each connection on the way: numbered and kept for RESUME, not sent. */
  dropDispatches(count: number, target?: FaultTarget): void;
  /** Sends each of the next dispatches of each connection twice. */
  duplicateDispatches(count: number, target?: FaultTarget): void;
  /** Holds the next dispatches of each connection back until there are that many, then sends them last one first. */
  reorderDispatches(count: number, target?: FaultTarget): void;
  /** Spoils the next message of each compressed connection. Others have nothing to spoil: see {@link Faults.sendRaw}. */
  corruptCompression(target?: FaultTarget): void;
  /** Sends half of the next message of each connection, in a frame that announces all of it, and destroys the connection. */
  halfFrame(target?: FaultTarget): void;
  /** Sends bytes as they are, over the WebSocket: malformed frames. */
  sendRaw(data: string | Buffer, target?: FaultTarget): void;
  /** Forgets every session that waits for RESUME. */
  forgetSessions(): void;
  /** Cuts connections and forgets their sessions without a word: RESUME is refused. */
  loseSessions(): void;
  /** Refuses new gateway connections, with a count, for some time or until {@link Faults.up}. Those that are open stay. @throws RangeError for another answer. */
  refuseUpgrades(options: UpgradeRefusalOptions): void;
  /**
   * Refuses new gateway connections with 503, for some time or until {@link Faults.up}.
   *
   * @param options `cut`: destroy those that are open, too; they stay otherwise.
   */
  down(forMs?: number, options?: { cut?: boolean | undefined }): void;
  /** Accepts gateway connections again. */
  up(): void;
  /**
   * Disturbs REST requests, now and later: answers with a status, resets, keeps silent, or is slow. Several add up: a
   * request gets the oldest that fits it. @throws RangeError for an answer that is none.
   */
  disturbRest(options: RestFaultOptions): void;
  /** Faults of the voice gateway. */
  readonly voice: VoiceFaults;
  /**
   * Disturbs media on their way from now on, in place of what was set for the same user and direction: loss, delay,
   * jitter, reordering, duplication, bandwidth, a blackout. Without conditions the way is clear again. The same seed gives
   * the same course. @throws RangeError for a condition that is out of range.
   */
  media(options?: MediaFaultOptions): void;
  /** Ends every fault that lasts: refusals, disturbed requests, delays, withheld answers, missing heartbeat answers, what was armed, disturbed media. */
  clear(): void;
  /** What lasts now. */
  lasting(): LastingFaults;
}

/** How a gateway connection is refused. */
export interface UpgradeRefusal {
  readonly answer: number | 'reset' | 'silence';
  readonly retryAfterSeconds?: number | undefined;
  /** Says why, in the body. */
  readonly text?: string | undefined;
}

/** Faults and what the upgrade handler asks of them. */
export interface FaultSwitch extends Faults {
  /** Whether and how the connection that comes now is refused. Counts it. */
  nextRefusal(): UpgradeRefusal | undefined;
  /** What disturbs a request. Counts it. */
  nextRestFault(method: string, target: string): RestFault | undefined;
  /** Clears timers. */
  dispose(): void;
}

const WITHHOLDABLE: readonly WithheldAnswer[] = ['HELLO', 'READY', 'RESUMED'];
const DOWN = 503;

/** Creates the faults of a sandbox. */
export function createFaults(hub: GatewayHub, clock: Clock, traffic: TrafficLog, side: VoiceSide): FaultSwitch {
  let refusal: (UpgradeRefusal & { left: number }) | undefined;
  let timer: unknown;
  let heartbeatAcks = true;
  let delayMs = 0;
  const withheld = new Set<WithheldAnswer>();
  const rest = new RestFaults(clock);
  const voice = createVoiceFaults(side, traffic, isSendableCloseCode, (events) => hub.broadcast(events));

  const note = (what: string): void => traffic.add('fault', 'out', what);
  const disarm = (): void => {
    if (timer !== undefined) clock.clearTimer(timer);
    timer = undefined;
  };
  const up = (): void => {
    disarm();
    if (refusal === undefined) return;
    refusal = undefined;
    note('up');
  };
  const refuse = ({ answer, retryAfterSeconds, count, forMs }: UpgradeRefusalOptions): void => {
    disarm();
    refusal = { answer, retryAfterSeconds, left: count ?? Number.POSITIVE_INFINITY };
    if (forMs !== undefined) timer = clock.setTimer(up, forMs);
  };
  const cutAll = (): void => hub.fault({ type: 'cut', close: undefined });
  const answerHeartbeats = (answered: boolean): void => {
    heartbeatAcks = answered;
    hub.answerHeartbeats(answered);
  };
  const delayBy = (ms: number): void => {
    delayMs = ms;
    hub.delay(ms);
  };
  const keepBack = (what: WithheldAnswer, back: boolean): void => {
    if (back) withheld.add(what);
    else withheld.delete(what);
    hub.withhold(what, back);
  };
  const count = (name: string, value: number): number => {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`faults.${name}: a whole number is expected`);
    note(`${name} ${value}`);
    return value;
  };

  return {
    nextRefusal() {
      if (refusal === undefined) return undefined;
      const { answer, retryAfterSeconds } = refusal;
      refusal.left -= 1;
      if (refusal.left <= 0) up();
      return { answer, retryAfterSeconds };
    },
    cut({ handshake = false, ...target } = {}) {
      note(handshake ? 'cut with handshake' : 'cut');
      const close = handshake ? { code: 4000, reason: 'Unknown error.' } : undefined;
      hub.fault({ type: 'cut', close }, target);
    },
    closeWith(code, reason = '', target = {}) {
      if (!isSendableCloseCode(code))
        throw new RangeError('faults.closeWith: the code must be 1000–1014 (not 1004–1006) or 3000–4999');
      note(`close ${code}`);
      hub.fault({ type: 'cut', close: { code, reason } }, target);
    },
    reconnect(target = {}) {
      note('reconnect');
      hub.fault({ type: 'reconnect' }, target);
    },
    invalidateSession({ resumable, ...target }) {
      note(`invalidate session, ${resumable ? '' : 'not '}resumable`);
      hub.fault({ type: 'invalidate', resumable }, target);
    },
    requestHeartbeat(target = {}) {
      note('request heartbeat');
      hub.fault({ type: 'askHeartbeat' }, target);
    },
    heartbeatAcks(answered) {
      note(`heartbeat acks ${answered ? 'on' : 'off'}`);
      answerHeartbeats(answered);
    },
    withhold(what) {
      if (!WITHHOLDABLE.includes(what)) throw new RangeError(`faults.withhold: one of ${WITHHOLDABLE.join(', ')}`);
      note(`withhold ${what}`);
      keepBack(what, true);
    },
    release(what) {
      note(`release ${what ?? 'all'}`);
      for (const each of WITHHOLDABLE) if (what === undefined || what === each) keepBack(each, false);
    },
    delay(ms) {
      delayBy(count('delay', ms));
    },
    dropDispatches(value, target = {}) {
      hub.faultPorts({ type: 'drop', count: count('dropDispatches', value) }, target);
    },
    duplicateDispatches(value, target = {}) {
      hub.faultPorts({ type: 'duplicate', count: count('duplicateDispatches', value) }, target);
    },
    reorderDispatches(value, target = {}) {
      hub.faultPorts({ type: 'reorder', count: count('reorderDispatches', value) }, target);
    },
    corruptCompression(target = {}) {
      note('corrupt compression');
      hub.faultPorts({ type: 'corrupt' }, target);
    },
    halfFrame(target = {}) {
      note('half a frame');
      hub.faultPorts({ type: 'half' }, target);
    },
    sendRaw(data, target = {}) {
      note('raw frame');
      hub.sendRaw(data, target);
    },
    forgetSessions() {
      note('forget sessions');
      hub.expireDetached();
    },
    loseSessions() {
      note('lose sessions');
      cutAll();
      hub.expireDetached();
    },
    refuseUpgrades(options) {
      const { answer, retryAfterSeconds } = options;
      const isStatus = Number.isInteger(answer) && Number(answer) >= 400 && Number(answer) <= 599;
      if (!isStatus && answer !== 'reset' && answer !== 'silence') {
        throw new RangeError(
          "faults.refuseUpgrades: the answer must be a status from 400 to 599, 'reset' or 'silence'",
        );
      }
      note(`refuse with ${answer}${retryAfterSeconds === undefined ? '' : `, retry after ${retryAfterSeconds} s`}`);
      refuse(options);
    },
    down(forMs, { cut = false } = {}) {
      note('down');
      refuse({ answer: DOWN, forMs });
      if (cut) cutAll();
    },
    up,
    disturbRest(options) {
      rest.add(options);
      const { answer = 'slow answers', method = '', path = '' } = options;
      note(`disturb ${method} ${path} with ${answer}`.replaceAll(/ +/g, ' '));
    },
    voice,
    media(options = {}) {
      side.faults.set(options);
      const { direction = 'both', ...conditions } = options;
      note(`media ${direction} ${Object.entries(conditions).flat().join(' ')}`.trimEnd());
    },
    nextRestFault: (method, target) => rest.take(method, target),
    clear() {
      note('clear');
      rest.clear();
      up();
      delayBy(0);
      answerHeartbeats(true);
      for (const each of WITHHOLDABLE) keepBack(each, false);
      hub.faultPorts({ type: 'none' });
      voice.clear();
      side.faults.clear();
    },
    lasting: () => ({
      heartbeatAcks,
      withheld: [...withheld],
      delayMs,
      refusing: refusal?.answer,
      rest: rest.waiting,
      voice: voice.lasting(),
      media: side.faults.list(),
    }),
    dispose: disarm,
  };
}

/** Codes that a close frame may carry (RFC 6455 §7.4). */
function isSendableCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  return (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999);
}
