/** Owns the vocabulary of the session: its states, what happens to it, what it wants done. Types only. */
import type { ControlFrame, Dispatch, Frame } from './frames.js';
import type { Outbox } from './outbox.js';

/** What Discord needs to continue where we were. */
export interface Session {
  readonly id: string;
  /** The last sequence number delivered. */
  readonly seq: number;
  /** Docs, Gateway: Resuming: `resume_gateway_url`. */
  readonly resumeUrl: string;
}

/** Where a session is. */
export type SessionPhase = SessionState['phase'];

/** Why a session went from one phase to another. */
export type SessionReason =
  | 'created'
  | 'connect'
  | 'retry'
  | 'hello'
  | 'permit'
  | 'ready'
  | 'resumed'
  | 'helloTimeout'
  | 'permitTimeout'
  | 'permitDenied'
  | 'readyTimeout'
  | 'resumeTimeout'
  | 'heartbeatTimeout'
  | 'reconnectRequested'
  | 'sessionInvalid'
  | 'sequenceGap'
  | 'streamCorrupt'
  | 'socketClosed'
  | 'upgradeRefused'
  | 'closeCalled'
  | 'detachCalled';

/** Why, with the close code or HTTP status if there was one. */
export interface SessionCause {
  readonly reason: SessionReason;
  readonly code: number | undefined;
}

/** The heartbeat of one connection. */
export interface Heart {
  readonly everyMs: number;
  readonly nextAt: number;
  /** When the beat was sent that has no ACK yet. */
  readonly unansweredSince: number | undefined;
  /** The end of an unanswered beat came late: it was put off once. */
  readonly excused: boolean;
}

/** What every phase knows. */
export interface Common {
  /** Number of the newest socket. An input that carries another one is stale. */
  readonly gen: number;
  /** Failed tries since the session was last ready. */
  readonly attempts: number;
  readonly session: Session | undefined;
  readonly outbox: Outbox;
  /** Set while not ready, from `connect` on. */
  readonly outage: { readonly since: number; readonly told: boolean } | undefined;
  /** The sequence number for which a resume was tried already. */
  readonly gapAt: number | undefined;
  /** Until when gaps are only reported. */
  readonly gapRestUntil: number | undefined;
  /** The end of this phase's wait came late: it was put off once. */
  readonly excused: boolean;
  readonly cause: SessionCause;
}

interface Alive extends Common {
  readonly heart: Heart;
}

/** Every phase that waits for someone else carries `until`; `ready` has its heart. */
export type SessionState =
  | (Common & { readonly phase: 'idle' })
  | (Common & { readonly phase: 'connecting'; readonly until: number })
  | (Alive & { readonly phase: 'awaitingPermit'; readonly until: number })
  | (Alive & { readonly phase: 'identifying'; readonly until: number })
  | (Alive & { readonly phase: 'resuming'; readonly until: number; readonly replayed: number })
  | (Alive & { readonly phase: 'ready' })
  | (Common & { readonly phase: 'waiting'; readonly until: number })
  | (Common & { readonly phase: 'closed' });

/** The state in one of these phases. */
export type In<Phase extends SessionPhase> = Extract<SessionState, { phase: Phase }>;

/** A state that has a socket. */
export type Live = In<'connecting' | 'awaitingPermit' | 'identifying' | 'resuming' | 'ready'>;

/** What happens to a session. `gen` names the socket that an input is about. */
export type SessionInput<Payload = Dispatch> =
  | { readonly type: 'connect' }
  | { readonly type: 'close' }
  /** As `close`, but Discord keeps the session for the next process. */
  | { readonly type: 'detach' }
  /** `presence`: a later one takes its place while it waits. */
  | { readonly type: 'send'; readonly id: number; readonly presence?: boolean | undefined }
  | { readonly type: 'cancelSend'; readonly id: number }
  | { readonly type: 'permitGranted'; readonly gen: number }
  | { readonly type: 'permitDenied'; readonly gen: number; readonly retryAfterMs: number }
  | { readonly type: 'socketClosed'; readonly gen: number; readonly code: number }
  | {
      readonly type: 'upgradeRefused';
      readonly gen: number;
      readonly status: number;
      readonly retryAfterMs: number | undefined;
    }
  | { readonly type: 'streamCorrupt'; readonly gen: number }
  | { readonly type: 'frame'; readonly gen: number; readonly frame: Frame<Payload> };

/** Why a send was not made. */
export type SendRefusal = 'closed' | 'timeout' | 'queueFull' | 'aborted';

/** How a gap in the sequence is mended. `none`: only reported, the events are gone. */
export type GapRecovery = 'resume' | 'identify' | 'none';

/** What the shell has to do, in order. */
export type SessionEffect<Payload = Dispatch> =
  /** `url: undefined` is the gateway's own address. */
  | { readonly type: 'openSocket'; readonly gen: number; readonly url: string | undefined }
  /** `terminate`: the peer is dead, wait for nothing. `keep` and `end` say what Discord does with the session. */
  | { readonly type: 'closeSocket'; readonly gen: number; readonly how: 'terminate' | 'keep' | 'end' }
  | { readonly type: 'sendControl'; readonly gen: number; readonly frame: ControlFrame }
  | { readonly type: 'transmit'; readonly gen: number; readonly id: number }
  | { readonly type: 'rejectSend'; readonly id: number; readonly refusal: SendRefusal }
  /** A later presence took its place. */
  | { readonly type: 'supersedeSend'; readonly id: number }
  | { readonly type: 'requestPermit'; readonly gen: number }
  | { readonly type: 'cancelPermit'; readonly gen: number }
  | { readonly type: 'deliver'; readonly payload: Payload; readonly seq: number; readonly replayed: boolean }
  | { readonly type: 'drop'; readonly what: 'duplicate' | 'unexpected' }
  | { readonly type: 'sessionStarted'; readonly session: Session }
  | { readonly type: 'sessionLost' }
  | { readonly type: 'ready' }
  | { readonly type: 'resumed'; readonly replayed: number }
  | { readonly type: 'heartbeat'; readonly latencyMs: number }
  | { readonly type: 'gap'; readonly expected: number; readonly received: number; readonly recovery: GapRecovery }
  | { readonly type: 'alert'; readonly attempts: number; readonly cause: SessionCause }
  | { readonly type: 'degraded'; readonly outageMs: number }
  | { readonly type: 'ended'; readonly fatal: boolean; readonly cause: SessionCause };
