/**
 * Owns one gateway session and the connection that carries it: HELLO, IDENTIFY, heartbeats, dispatch numbering,
 * RESUME, and the close code of every misuse (Discord docs, Gateway). Pure: sockets, tokens, payloads and the replay
 * log are the shell's. Refuses to look at a dispatch's content.
 *
 * An actor begins as a connection (`fresh` → `greeting`). IDENTIFY makes it a session (`live`), which outlives its
 * connection (`detached`). RESUME hands the connection of a greeting actor over to the session's actor (`adopt`).
 */
import type { Reducer, Stamp, TimerInput, Transition } from '@guildkit/core';
import { CLOSE_CODES, type GatewayCloseCode, isSessionEnd } from './close-codes.js';
import type { ClientFrame, ClientRequest, PresenceClaim } from './frames.js';
import type { IdentifyVerdict } from './identify-ledger.js';
import { judgeIntents } from './intents.js';

/** The numbers of the protocol. */
export interface SessionRules {
  readonly heartbeatIntervalMs: number;
  /** How much later than its interval a heartbeat may come. */
  readonly heartbeatGraceMs: number;
  /** Frames that a client may send in a window; `Infinity` for any number. */
  readonly sendLimit: number;
  readonly sendWindowMs: number;
  /** How long a session waits for RESUME. */
  readonly resumeWindowMs: number;
  /** Dispatches kept for RESUME, at most. */
  readonly replayLimit: number;
  /** With more than one, IDENTIFY must name its shard. */
  readonly requiredShards: number;
}

/** A connection: which socket, until when a heartbeat must come, how many frames it has sent. */
export interface Link {
  readonly socket: number;
  readonly heartbeatBy: number;
  readonly windowEndsAt: number;
  readonly sent: number;
}

/** What was agreed at IDENTIFY, and how far the dispatches are. */
export interface Session {
  readonly id: string;
  readonly botId: string;
  readonly intents: number;
  readonly shard: readonly [id: number, count: number] | undefined;
  /** Members over which a guild is large. */
  readonly largeThreshold: number;
  /** Number of the last dispatch; 0 before READY. */
  readonly seq: number;
}

export type SessionState =
  | { readonly phase: 'fresh'; readonly socket: number }
  | { readonly phase: 'greeting'; readonly link: Link }
  | { readonly phase: 'live'; readonly link: Link; readonly session: Session }
  | { readonly phase: 'detached'; readonly session: Session; readonly expiresAt: number }
  | { readonly phase: 'ended' };

/** What a token is good for. */
export interface Grant {
  readonly botId: string;
  readonly privilegedIntents: number;
  /** What an IDENTIFY for the frame's shard gets. */
  readonly identify: IdentifyVerdict;
}

/** Where a client wants to go on. */
export interface ResumeClaim {
  readonly botId: string;
  readonly sessionId: string;
  readonly seq: number;
}

/** A dispatch before it has a number. */
export interface DispatchEvent {
  readonly name: string;
  readonly json: string;
}

export type SessionInput =
  | { readonly type: 'opened'; readonly version: number }
  /** `grant`: of the frame's token; `newId`: the id of the session that an IDENTIFY may start. */
  | {
      readonly type: 'frame';
      readonly socket: number;
      readonly frame: ClientFrame;
      readonly grant?: Grant | undefined;
      readonly newId?: string | undefined;
    }
  | { readonly type: 'closed'; readonly socket: number; readonly code: number }
  /** `needs`: intent bits of which the session must have one; 0 for none. */
  | { readonly type: 'dispatch'; readonly event: DispatchEvent; readonly needs: number }
  /** `oldest`: number of the oldest dispatch that can still be replayed. */
  | { readonly type: 'adopt'; readonly link: Link; readonly claim: ResumeClaim; readonly oldest: number }
  | { readonly type: 'handedOver' }
  | { readonly type: 'refused'; readonly reason: ResumeRefusal }
  | { readonly type: 'reconnect' }
  | { readonly type: 'invalidate'; readonly resumable: boolean }
  | { readonly type: 'askHeartbeat' }
  | { readonly type: 'cut'; readonly close: { readonly code: number; readonly reason: string } | undefined }
  | { readonly type: 'expire' };

/** Why a session cannot be resumed. */
export type ResumeRefusal = 'unknown' | 'invalidSeq';

/** A frame that is not a dispatch. */
export type ControlFrame =
  | { readonly op: 10; readonly d: { readonly heartbeat_interval: number } }
  | { readonly op: 11 }
  | { readonly op: 1 }
  | { readonly op: 7 }
  | { readonly op: 9; readonly d: boolean };

export type SessionEffect =
  | { readonly type: 'send'; readonly socket: number; readonly frame: ControlFrame }
  /** Keep a numbered dispatch, and send it when there is a socket. */
  | {
      readonly type: 'deliver';
      readonly socket: number | undefined;
      readonly seq: number;
      readonly event: DispatchEvent;
    }
  | { readonly type: 'replay'; readonly socket: number; readonly after: number; readonly through: number }
  | { readonly type: 'close'; readonly socket: number; readonly code: number; readonly reason: string }
  | { readonly type: 'destroy'; readonly socket: number }
  /** A session began: register it and dispatch READY and its guilds. */
  | { readonly type: 'start'; readonly session: Session; readonly presence: PresenceClaim | undefined }
  /** The bot has used up its IDENTIFYs: its sessions end and its token is void (Discord docs, Gateway: Identifying). */
  | { readonly type: 'exhausted'; readonly botId: string }
  /** Find the session of a RESUME: `adopt` there, or `refused` here. */
  | { readonly type: 'find'; readonly claim: ResumeClaim; readonly link: Link }
  /** This actor now owns the socket: its former owner is `handedOver`. */
  | { readonly type: 'take'; readonly socket: number }
  /** Tell the owner of a socket that its RESUME is `refused`. */
  | { readonly type: 'refuse'; readonly socket: number; readonly reason: ResumeRefusal }
  | { readonly type: 'request'; readonly session: Session; readonly request: ClientRequest }
  /** The session is over. */
  | { readonly type: 'forget'; readonly session: Session };

type Step = Transition<SessionState, SessionEffect>;
type Live = Extract<SessionState, { phase: 'live' }>;

const ENDED: SessionState = { phase: 'ended' };
const API_VERSIONS: readonly number[] = [9, 10];
/** RESUMED has a number of its own, as every dispatch. */
const RESUMED: DispatchEvent = { name: 'RESUMED', json: '{"_trace":["guildkit-sandbox"]}' };

/** A new connection. */
export function freshConnection(socket: number): SessionState {
  return { phase: 'fresh', socket };
}

/** Makes the state machine of connections and sessions. */
export function createSessionReducer(rules: SessionRules): Reducer<SessionState, SessionInput, SessionEffect> {
  const heartbeatBy = (now: number): number => now + rules.heartbeatIntervalMs + rules.heartbeatGraceMs;

  function step(state: SessionState, input: (SessionInput | TimerInput) & Stamp): Step {
    switch (input.type) {
      case 'opened':
        return state.phase === 'fresh' ? open(state.socket, input.version, input.now) : stay(state);
      case 'frame':
        return onFrame(state, input);
      case 'closed':
        return onClosed(state, input.socket, input.code, input.now);
      case 'dispatch':
        return onDispatch(state, input.event, input.needs);
      case 'adopt':
        return onAdopt(state, input.link, input.claim, input.oldest);
      case 'handedOver':
        return state.phase === 'greeting' ? { state: ENDED, effects: [] } : stay(state);
      case 'refused':
        return onRefused(state, input.reason);
      case 'reconnect':
        return tell(state, { op: 7 });
      case 'askHeartbeat':
        return tell(state, { op: 1 });
      case 'invalidate':
        return onInvalidate(state, input.resumable);
      case 'cut':
        return onCut(state, input.close, input.now);
      case 'expire':
        return state.phase === 'detached' ? end(state.session) : stay(state);
      case 'timer':
        return onTimer(state, input.now);
    }
  }

  function open(socket: number, version: number, now: number): Step {
    if (!API_VERSIONS.includes(version)) return { state: ENDED, effects: [closing(socket, 4012)] };
    const link = { socket, heartbeatBy: heartbeatBy(now), windowEndsAt: now + rules.sendWindowMs, sent: 0 };
    const hello = { op: 10, d: { heartbeat_interval: rules.heartbeatIntervalMs } } as const;
    return { state: { phase: 'greeting', link }, effects: [{ type: 'send', socket, frame: hello }] };
  }

  function onFrame(state: SessionState, input: Extract<SessionInput, { type: 'frame' }> & Stamp): Step {
    if ((state.phase !== 'greeting' && state.phase !== 'live') || input.socket !== state.link.socket)
      return stay(state);
    const counted = { ...state, link: count(state.link, input.now) };
    if (counted.link.sent > rules.sendLimit) return closeWith(state, 4008, input.now);
    const { frame } = input;
    switch (frame.kind) {
      case 'invalid':
        return closeWith(state, frame.code, input.now);
      case 'heartbeat': {
        const link = { ...counted.link, heartbeatBy: heartbeatBy(input.now) };
        return { state: { ...counted, link }, effects: [{ type: 'send', socket: link.socket, frame: { op: 11 } }] };
      }
      case 'identify':
        if (counted.phase === 'live') return closeWith(state, 4005, input.now);
        return identify(counted.link, frame, input);
      case 'resume': {
        if (counted.phase === 'live') return closeWith(state, 4005, input.now);
        if (input.grant === undefined) return closeWith(state, 4004, input.now);
        const claim = { botId: input.grant.botId, sessionId: frame.sessionId, seq: frame.seq };
        return { state: counted, effects: [{ type: 'find', claim, link: counted.link }] };
      }
      case 'request':
        if (counted.phase === 'greeting') return closeWith(state, 4003, input.now);
        return {
          state: counted,
          effects: [{ type: 'request', session: counted.session, request: frame.request }],
        };
    }
  }

  function identify(
    link: Link,
    frame: Extract<ClientFrame, { kind: 'identify' }>,
    input: Extract<SessionInput, { type: 'frame' }> & Stamp,
  ): Step {
    const refuse = (code: GatewayCloseCode): Step => ({ state: ENDED, effects: [closing(link.socket, code)] });
    const { grant, newId } = input;
    if (grant === undefined || newId === undefined) return refuse(4004);
    if (frame.shard === 'invalid') return refuse(4010);
    if (frame.shard === undefined && rules.requiredShards > 1) return refuse(4011);
    const problem = judgeIntents(frame.intents, grant.privilegedIntents);
    if (problem !== undefined) return refuse(problem === 'invalid' ? 4013 : 4014);
    if (grant.identify === 'exhausted') return withFirst({ type: 'exhausted', botId: grant.botId }, refuse(4004));
    if (grant.identify === 'tooSoon') {
      const invalid: SessionEffect = { type: 'send', socket: link.socket, frame: { op: 9, d: false } };
      return { state: { phase: 'greeting', link }, effects: [invalid] };
    }
    const session: Session = {
      id: newId,
      botId: grant.botId,
      intents: frame.intents as number,
      shard: frame.shard,
      largeThreshold: frame.largeThreshold,
      seq: 0,
    };
    const { presence } = frame;
    return { state: { phase: 'live', link, session }, effects: [{ type: 'start', session, presence }] };
  }

  function onClosed(state: SessionState, socket: number, code: number, now: number): Step {
    switch (state.phase) {
      case 'fresh':
        return state.socket === socket ? { state: ENDED, effects: [] } : stay(state);
      case 'greeting':
        return state.link.socket === socket ? { state: ENDED, effects: [] } : stay(state);
      case 'live':
        if (state.link.socket !== socket) return stay(state);
        return isSessionEnd(code) ? end(state.session) : { state: detach(state.session, now), effects: [] };
      default:
        return stay(state);
    }
  }

  function onDispatch(state: SessionState, event: DispatchEvent, needs: number): Step {
    if (state.phase !== 'live' && state.phase !== 'detached') return stay(state);
    if (needs !== 0 && (needs & state.session.intents) === 0) return stay(state);
    const { session, effect } = number(state.session, event, state.phase === 'live' ? state.link.socket : undefined);
    return { state: { ...state, session }, effects: [effect] };
  }

  function onAdopt(state: SessionState, link: Link, claim: ResumeClaim, oldest: number): Step {
    const refuse = (reason: ResumeRefusal): Step => ({
      state,
      effects: [{ type: 'refuse', socket: link.socket, reason }],
    });
    if (state.phase !== 'live' && state.phase !== 'detached') return refuse('unknown');
    const { session } = state;
    if (claim.botId !== session.botId || claim.sessionId !== session.id) return refuse('unknown');
    if (claim.seq > session.seq) return refuse('invalidSeq');
    // What the client missed is no longer all there: it must begin anew.
    if (claim.seq + 1 < oldest) return refuse('unknown');
    const resumed = number(session, RESUMED, link.socket);
    const effects: SessionEffect[] = [{ type: 'take', socket: link.socket }];
    // One connection a session: the one that is still there is the old one.
    if (state.phase === 'live') effects.unshift(closing(state.link.socket, 4000));
    effects.push({ type: 'replay', socket: link.socket, after: claim.seq, through: session.seq }, resumed.effect);
    return { state: { phase: 'live', link, session: resumed.session }, effects };
  }

  function onRefused(state: SessionState, reason: ResumeRefusal): Step {
    if (state.phase !== 'greeting') return stay(state);
    if (reason === 'invalidSeq') return { state: ENDED, effects: [closing(state.link.socket, 4007)] };
    // The connection stays: the client may IDENTIFY on it.
    return { state, effects: [{ type: 'send', socket: state.link.socket, frame: { op: 9, d: false } }] };
  }

  function onInvalidate(state: SessionState, resumable: boolean): Step {
    if (state.phase !== 'live') return stay(state);
    const { link, session } = state;
    const sent: SessionEffect = { type: 'send', socket: link.socket, frame: { op: 9, d: resumable } };
    if (resumable) return { state, effects: [sent] };
    return { state: { phase: 'greeting', link }, effects: [sent, { type: 'forget', session }] };
  }

  function onCut(state: SessionState, close: { code: number; reason: string } | undefined, now: number): Step {
    if (state.phase !== 'greeting' && state.phase !== 'live') return stay(state);
    const { socket } = state.link;
    const effect: SessionEffect =
      close === undefined
        ? { type: 'destroy', socket }
        : { type: 'close', socket, code: close.code, reason: close.reason };
    if (state.phase === 'greeting') return { state: ENDED, effects: [effect] };
    if (close !== undefined && endsSession(close.code)) return withFirst(effect, end(state.session));
    return { state: detach(state.session, now), effects: [effect] };
  }

  function onTimer(state: SessionState, now: number): Step {
    const due = deadline(state);
    if (due === undefined || now < due) return stay(state);
    if (state.phase === 'detached') return end(state.session);
    return closeWith(state as Live, 4009, now);
  }

  function deadline(state: SessionState): number | undefined {
    switch (state.phase) {
      case 'greeting':
      case 'live':
        return state.link.heartbeatBy;
      case 'detached':
        return state.expiresAt;
      default:
        return undefined;
    }
  }

  function closeWith(
    state: Exclude<SessionState, { phase: 'fresh' | 'detached' | 'ended' }>,
    code: GatewayCloseCode,
    now: number,
  ): Step {
    const effect = closing(state.link.socket, code);
    if (state.phase === 'greeting') return { state: ENDED, effects: [effect] };
    if (!CLOSE_CODES[code].resumable) return withFirst(effect, end(state.session));
    return { state: detach(state.session, now), effects: [effect] };
  }

  function detach(session: Session, now: number): SessionState {
    return { phase: 'detached', session, expiresAt: now + rules.resumeWindowMs };
  }

  function count(link: Link, now: number): Link {
    if (now < link.windowEndsAt) return { ...link, sent: link.sent + 1 };
    return { ...link, windowEndsAt: now + rules.sendWindowMs, sent: 1 };
  }

  return { step, deadline };
}

function tell(state: SessionState, frame: ControlFrame): Step {
  if (state.phase !== 'live') return stay(state);
  return { state, effects: [{ type: 'send', socket: state.link.socket, frame }] };
}

function number(
  session: Session,
  event: DispatchEvent,
  socket: number | undefined,
): { readonly session: Session; readonly effect: SessionEffect } {
  const seq = session.seq + 1;
  return { session: { ...session, seq }, effect: { type: 'deliver', socket, seq, event } };
}

const closing = (socket: number, code: GatewayCloseCode): SessionEffect => ({
  type: 'close',
  socket,
  code,
  reason: CLOSE_CODES[code].reason,
});

/** Whether a close that the sandbox was told to make kills the session too. */
function endsSession(code: number): boolean {
  const known = (CLOSE_CODES as Readonly<Record<number, { resumable: boolean }>>)[code];
  return isSessionEnd(code) || known?.resumable === false;
}

const stay = (state: SessionState): Step => ({ state, effects: [] });
const end = (session: Session): Step => ({ state: ENDED, effects: [{ type: 'forget', session }] });
const withFirst = (effect: SessionEffect, { state, effects }: Step): Step => ({ state, effects: [effect, ...effects] });
