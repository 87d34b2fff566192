/** Owns the faults of the voice gateway: what can be made to go wrong between it and its clients. */
import type { VoiceTarget, WithheldVoiceAnswer } from './io/voice-hub.js';
import type { WorldEvent } from './protocol/world/events.js';
import type { TrafficLog } from './traffic.js';
import type { VoiceSide } from './voice/voice-side.js';

/** Faults of the voice gateway. Each acts at once; a last argument narrows it to a user's or a channel's sessions. */
export interface VoiceFaults {
  /**
   * Cuts connections; their sessions can be resumed, and media go on.
   *
   * @param options `handshake`: with a close frame (4015), else the TCP connection is destroyed (the default).
   */
  cut(options?: { readonly handshake?: boolean | undefined } & VoiceTarget): void;
  /** Closes connections with a code. All but 4015 and those below 4000 end the session. @throws RangeError for a code that no frame may carry. */
  closeWith(code: number, reason?: string, target?: VoiceTarget): void;
  /** Stops answering heartbeats, or answers again. */
  heartbeatAcks(answered: boolean): void;
  /** Keeps an answer back, on every connection from now on, until {@link VoiceFaults.release}. `RESUMED` goes with its replay. */
  withhold(what: WithheldVoiceAnswer): void;
  /** Gives a withheld answer again; all of them when nothing is named. What was asked meanwhile stays unanswered. */
  release(what?: WithheldVoiceAnswer): void;
  /**
   * Gives sessions another voice server: VOICE_SERVER_UPDATE with a new token, and 4014.
   *
   * @param options `outage`: says first that there is no server (`endpoint: null`).
   */
  moveServer(options?: { readonly outage?: boolean | undefined } & VoiceTarget): void;
  /** Sends a text or bytes as they are: malformed messages. */
  sendRaw(data: string | Uint8Array, target?: VoiceTarget): void;
  /** Forgets every session that waits for Resume. */
  forgetSessions(): void;
}

/** Faults and what shows and ends them. */
export interface VoiceFaultSwitch extends VoiceFaults {
  clear(): void;
  lasting(): { readonly heartbeatAcks: boolean; readonly withheld: readonly WithheldVoiceAnswer[] };
}

const WITHHOLDABLE: readonly WithheldVoiceAnswer[] = ['HELLO', 'READY', 'SESSION_DESCRIPTION', 'RESUMED'];

/** Creates the faults of a voice gateway. */
export function createVoiceFaults(
  side: VoiceSide,
  traffic: TrafficLog,
  isSendable: (code: number) => boolean,
  broadcast: (events: readonly WorldEvent[]) => void,
): VoiceFaultSwitch {
  const { hub } = side;
  let heartbeatAcks = true;
  const withheld = new Set<WithheldVoiceAnswer>();
  const answerHeartbeats = (answered: boolean): void => {
    heartbeatAcks = answered;
    hub.answerHeartbeats(answered);
  };
  const keepBack = (what: WithheldVoiceAnswer, back: boolean): void => {
    if (back) withheld.add(what);
    else withheld.delete(what);
    hub.withhold(what, back);
  };
  const note = (what: string): void => traffic.add('fault', 'out', `voice: ${what}`);
  return {
    cut({ handshake = false, ...target } = {}) {
      note(handshake ? 'cut with handshake' : 'cut');
      hub.cut(handshake ? { code: 4015, reason: 'Voice server crashed.' } : undefined, target);
    },
    closeWith(code, reason = '', target = {}) {
      if (!isSendable(code)) throw new RangeError('faults.voice.closeWith: no frame may carry that code');
      note(`close ${code}`);
      hub.cut({ code, reason }, target);
    },
    heartbeatAcks(answered) {
      note(`heartbeat acks ${answered ? 'on' : 'off'}`);
      answerHeartbeats(answered);
    },
    withhold(what) {
      if (!WITHHOLDABLE.includes(what)) {
        throw new RangeError(`faults.voice.withhold: one of ${WITHHOLDABLE.join(', ')}`);
      }
      note(`withhold ${what}`);
      keepBack(what, true);
    },
    release(what) {
      note(`release ${what ?? 'all'}`);
      for (const each of WITHHOLDABLE) if (what === undefined || what === each) keepBack(each, false);
    },
    moveServer({ outage = false, ...target } = {}) {
      note('another server');
      broadcast(side.moveServer(target, outage));
    },
    sendRaw(data, target = {}) {
      note('raw message');
      hub.sendRaw(data, target);
    },
    forgetSessions() {
      note('forget sessions');
      hub.expireDetached();
    },
    clear() {
      answerHeartbeats(true);
      for (const each of WITHHOLDABLE) keepBack(each, false);
    },
    lasting: () => ({ heartbeatAcks, withheld: [...withheld] }),
  };
}
