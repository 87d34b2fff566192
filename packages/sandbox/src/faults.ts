/** Owns the faults: what can be made to go wrong between the gateway and its clients. */
import type { Clock } from '@guildkit/core';
import type { GatewayHub } from './io/gateway-hub.js';
import type { TrafficLog } from './traffic.js';

/** Faults of the gateway. Each acts at once on everything that is connected, unless it says otherwise. */
export interface Faults {
  /**
   * Cuts connections; their sessions can be resumed.
   *
   * @param options `handshake`: with a close frame (4000), else the TCP connection is destroyed (the default);
   * `shardId`: of one shard.
   */
  cut(options?: { handshake?: boolean | undefined; shardId?: number | undefined }): void;
  /** Closes connections with a code. The codes that end a session end it here too. */
  closeWith(code: number, reason?: string): void;
  /** Asks clients to reconnect (opcode 7). */
  reconnect(): void;
  /** Tells clients that their session is invalid (opcode 9). When not resumable the session is gone. */
  invalidateSession(options: { resumable: boolean }): void;
  /** Asks clients for a heartbeat at once (opcode 1). */
  requestHeartbeat(): void;
  /** Stops answering heartbeats, or answers again: a connection that looks alive and is not. */
  heartbeatAcks(answered: boolean): void;
  /** Loses the next dispatches on the way: numbered and kept for RESUME, not sent. */
  dropDispatches(count: number): void;
  /** Forgets every session that waits for RESUME. */
  forgetSessions(): void;
  /** Sends bytes as they are, over the WebSocket, to every connection: malformed frames. */
  sendRaw(data: string | Buffer): void;
  /** Refuses new gateway connections with 503, for some time or until {@link Faults.up}. Those that are open stay. */
  down(forMs?: number): void;
  /** Accepts gateway connections again. */
  up(): void;
}

/** Faults and what the upgrade handler asks of them. */
export interface FaultSwitch extends Faults {
  readonly isDown: boolean;
  /** Clears the timer of `down`. */
  dispose(): void;
}

/** Creates the faults of a sandbox. */
export function createFaults(hub: GatewayHub, clock: Clock, traffic: TrafficLog): FaultSwitch {
  let isDown = false;
  let timer: unknown;

  const note = (what: string): void => traffic.add('fault', 'out', what);
  const disarm = (): void => {
    if (timer !== undefined) clock.clearTimer(timer);
    timer = undefined;
  };
  const up = (): void => {
    disarm();
    isDown = false;
    note('up');
  };

  return {
    get isDown() {
      return isDown;
    },
    cut({ handshake = false, shardId } = {}) {
      note(handshake ? 'cut with handshake' : 'cut');
      hub.fault({ type: 'cut', close: handshake ? { code: 4000, reason: 'Unknown error.' } : undefined }, shardId);
    },
    closeWith(code, reason = '') {
      if (!isSendableCloseCode(code))
        throw new RangeError('faults.closeWith: the code must be 1000–1014 (not 1004–1006) or 3000–4999');
      note(`close ${code}`);
      hub.fault({ type: 'cut', close: { code, reason } });
    },
    reconnect() {
      note('reconnect');
      hub.fault({ type: 'reconnect' });
    },
    invalidateSession({ resumable }) {
      note(`invalidate session, ${resumable ? '' : 'not '}resumable`);
      hub.fault({ type: 'invalidate', resumable });
    },
    requestHeartbeat() {
      hub.fault({ type: 'askHeartbeat' });
    },
    heartbeatAcks(answered) {
      note(`heartbeat acks ${answered ? 'on' : 'off'}`);
      hub.answerHeartbeats(answered);
    },
    dropDispatches(count) {
      note(`drop ${count} dispatches`);
      hub.dropDispatches(count);
    },
    forgetSessions() {
      note('forget sessions');
      hub.expireDetached();
    },
    sendRaw(data) {
      note('raw frame');
      hub.sendRaw(data);
    },
    down(forMs) {
      disarm();
      isDown = true;
      note('down');
      if (forMs !== undefined) timer = clock.setTimer(up, forMs);
    },
    up,
    dispose: disarm,
  };
}

/** Codes that a close frame may carry (RFC 6455 §7.4). */
function isSendableCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  return (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999);
}
