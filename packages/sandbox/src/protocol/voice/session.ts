/**
 * Owns one voice session and the connection that carries it: Hello, Identify, Select Protocol, heartbeats, numbering,
 * Resume, and the close code of every misuse (Discord docs, Voice). Pure: sockets, tokens, keys and the message log are the
 * shell's. Refuses to know who else is in the channel.
 *
 * An actor begins as a connection (`fresh` → `greeting`). Identify makes it a session (`open`), which outlives its
 * connection (`detached`). Resume hands the connection of a greeting actor over to the session's actor (`adopt`).
 */
import type { Reducer, Stamp, TimerInput, Transition } from '@guildkit/core';
import { isVoiceResumable, VOICE_CLOSE_CODES, type VoiceCloseCodeNumber } from './close-codes.js';
import { choosePair } from './codecs.js';
import type { StreamClaim, VoiceFrame, VoiceRequest } from './frames.js';
import { unwrapAck } from './message-log.js';
import { VoiceOp } from './opcodes.js';
import type {
  Admission,
  Description,
  Seat,
  VoiceEffect,
  VoiceInput,
  VoiceLink,
  VoiceMessage,
  VoiceRules,
  VoiceSession,
  VoiceState,
} from './session-types.js';

type Step = Transition<VoiceState, VoiceEffect>;
type Open = Extract<VoiceState, { phase: 'open' }>;

const ENDED: VoiceState = { phase: 'ended' };
/** Versions that are spoken (Discord docs, Voice: Gateway Versioning). */
const VERSIONS: readonly number[] = [8, 9];

/** A new connection. */
export const freshVoice = (socket: number): VoiceState => ({ phase: 'fresh', socket });

/** Makes the state machine of voice connections and sessions. */
export function createVoiceReducer(rules: VoiceRules): Reducer<VoiceState, VoiceInput, VoiceEffect> {
  const heartbeatBy = (now: number): number => now + rules.heartbeatIntervalMs + rules.heartbeatGraceMs;

  function step(state: VoiceState, input: (VoiceInput | TimerInput) & Stamp): Step {
    switch (input.type) {
      case 'opened':
        return state.phase === 'fresh' ? open(state.socket, input.version, input.now) : stay(state);
      case 'frame':
        return onFrame(state, input);
      case 'closed':
        return onClosed(state, input.socket, input.now);
      case 'message':
        return onMessage(state, input.message);
      case 'notice':
        return state.phase === 'open'
          ? { state, effects: [{ type: 'send', socket: state.link.socket, message: input.message }] }
          : stay(state);
      case 'prepared':
        return onPrepared(state, input.selection, input.description);
      case 'adopt':
        return onAdopt(state, input);
      case 'handedOver':
        return state.phase === 'greeting' ? { state: ENDED, effects: [] } : stay(state);
      case 'refused':
        return state.phase === 'greeting' ? closeWith(state, 4006) : stay(state);
      case 'cut':
        return onCut(state, input.close, input.now);
      case 'end':
        return state.phase === 'detached' ? end(state.session) : closeWith(state, input.code);
      case 'expire':
        return state.phase === 'detached' ? end(state.session) : stay(state);
      case 'timer':
        return onTimer(state, input.now);
    }
  }

  function open(socket: number, version: number, now: number): Step {
    if (!VERSIONS.includes(version)) return { state: ENDED, effects: [closing(socket, 4020)] };
    const windowEndsAt = now + rules.messageWindowMs;
    const link = { socket, version, heartbeatBy: heartbeatBy(now), windowEndsAt, sent: 0 };
    const hello = { op: VoiceOp.Hello, d: { v: version, heartbeat_interval: rules.heartbeatIntervalMs } };
    return { state: { phase: 'greeting', link }, effects: [{ type: 'send', socket, message: hello }] };
  }

  function onFrame(state: VoiceState, input: Extract<VoiceInput, { type: 'frame' }> & Stamp): Step {
    if ((state.phase !== 'greeting' && state.phase !== 'open') || input.socket !== state.link.socket) {
      return stay(state);
    }
    const counted = { ...state, link: count(state.link, input.now) };
    if (counted.link.sent > rules.messageLimit) return closeWith(state, 4021);
    const { frame } = input;
    if (frame.kind === 'invalid') return closeWith(state, frame.code);
    if (frame.kind === 'heartbeat') return onHeartbeat(counted, frame, input.now);
    if (frame.kind === 'identify' || frame.kind === 'resume') {
      if (counted.phase === 'open') return closeWith(state, 4005);
      return frame.kind === 'identify'
        ? identify(counted.link, frame, input.admission)
        : resume(counted.link, frame, input.admission);
    }
    if (counted.phase === 'greeting') return closeWith(state, 4003);
    if (frame.kind === 'select') return onSelect(counted, frame);
    // Speaking and the rest mean something once there is a description.
    if (counted.session.stage !== 'live') return stay(counted);
    return onRequest(counted, frame.request);
  }

  function onHeartbeat(
    state: Extract<VoiceState, { link: VoiceLink }>,
    { t, seqAck }: Extract<VoiceFrame, { kind: 'heartbeat' }>,
    now: number,
  ): Step {
    const link = { ...state.link, heartbeatBy: heartbeatBy(now) };
    const effects: VoiceEffect[] = [
      { type: 'send', socket: link.socket, message: { op: VoiceOp.HeartbeatAck, d: { t } } },
    ];
    if (state.phase === 'open' && seqAck !== undefined) {
      const through = unwrapAck(state.session.seq, seqAck);
      if (through > 0) effects.push({ type: 'acknowledge', through });
    }
    return { state: { ...state, link }, effects };
  }

  function identify(
    link: VoiceLink,
    frame: Extract<VoiceFrame, { kind: 'identify' }>,
    admission: Admission | undefined,
  ): Step {
    if (admission === undefined) return { state: ENDED, effects: [closing(link.socket, 4004)] };
    if (!admission.ok) return { state: ENDED, effects: [closing(link.socket, admission.code)] };
    const { seat, channelId } = admission;
    const session: VoiceSession = {
      id: frame.sessionId,
      userId: frame.userId,
      guildId: frame.serverId,
      channelId,
      seat,
      daveVersion: frame.daveVersion,
      stage: 'selecting',
      selections: 0,
      codecs: [],
      seq: 0,
    };
    return {
      state: { phase: 'open', link, session },
      effects: [
        { type: 'start', session },
        { type: 'send', socket: link.socket, message: { op: VoiceOp.Ready, d: readyOf(seat) } },
      ],
    };
  }

  function resume(
    link: VoiceLink,
    { serverId, sessionId, seqAck }: Extract<VoiceFrame, { kind: 'resume' }>,
    admission: Admission | undefined,
  ): Step {
    if (admission !== undefined && !admission.ok) {
      return { state: ENDED, effects: [closing(link.socket, admission.code)] };
    }
    const claim = { guildId: serverId, sessionId, seqAck };
    return { state: { phase: 'greeting', link }, effects: [{ type: 'find', claim, link }] };
  }

  function onSelect(state: Open, { protocol, mode, codecs }: Extract<VoiceFrame, { kind: 'select' }>): Step {
    if (protocol !== 'udp') return closeWith(state, 4012);
    const known = state.session.seat.modes.find((offered) => offered === mode);
    if (known === undefined) return closeWith(state, 4016);
    const selection = state.session.selections + 1;
    const stage = state.session.stage === 'live' ? 'live' : 'preparing';
    const session: VoiceSession = { ...state.session, stage, selections: selection, codecs };
    return { state: { ...state, session }, effects: [{ type: 'prepare', session, selection, mode: known }] };
  }

  function onPrepared(state: VoiceState, selection: number, description: Description): Step {
    if ((state.phase !== 'open' && state.phase !== 'detached') || selection !== state.session.selections) {
      return stay(state);
    }
    const isFirst = state.session.stage !== 'live';
    const session: VoiceSession = { ...state.session, stage: 'live' };
    const effects: VoiceEffect[] = [];
    if (state.phase === 'open') {
      const message = { op: VoiceOp.SessionDescription, d: descriptionOf(session, description) };
      effects.push({ type: 'send', socket: state.link.socket, message });
    }
    if (isFirst) effects.push({ type: 'enter', session });
    return { state: { ...state, session }, effects };
  }

  function onRequest(state: Open, request: VoiceRequest): Step {
    const { session, link } = state;
    const answer = (message: VoiceMessage): VoiceEffect => ({ type: 'send', socket: link.socket, message });
    switch (request.kind) {
      case 'speaking':
        if (request.ssrc !== session.seat.audioSsrc) return closeWith(state, 4020);
        break;
      case 'video':
        if (!ownsVideo(session.seat, request)) return closeWith(state, 4020);
        break;
      case 'codecs': {
        const next: VoiceSession = { ...session, codecs: request.codecs };
        const message = { op: VoiceOp.SessionUpdate, d: choosePair(request.codecs) };
        return { state: { ...state, session: next }, effects: [answer(message)] };
      }
      case 'backendVersion':
        return { state, effects: [answer({ op: VoiceOp.BackendVersion, d: BACKEND_VERSION })] };
      default:
        break;
    }
    return { state, effects: [{ type: 'request', session, request }] };
  }

  function onClosed(state: VoiceState, socket: number, now: number): Step {
    switch (state.phase) {
      case 'fresh':
        return state.socket === socket ? { state: ENDED, effects: [] } : stay(state);
      case 'greeting':
        return state.link.socket === socket ? { state: ENDED, effects: [] } : stay(state);
      case 'open':
        // With whatever code: clients are seen to say 1000 and resume. Who leaves does so by the main gateway.
        return state.link.socket === socket ? { state: detach(state.session, now), effects: [] } : stay(state);
      default:
        return stay(state);
    }
  }

  function onMessage(state: VoiceState, message: VoiceMessage): Step {
    if (state.phase !== 'open' && state.phase !== 'detached') return stay(state);
    const session = { ...state.session, seq: state.session.seq + 1 };
    const socket = state.phase === 'open' ? state.link.socket : undefined;
    return { state: { ...state, session }, effects: [{ type: 'deliver', socket, seq: session.seq, message }] };
  }

  function onAdopt(state: VoiceState, { link, claim, oldest }: Extract<VoiceInput, { type: 'adopt' }>): Step {
    const refuse: Step = { state, effects: [{ type: 'refuse', socket: link.socket }] };
    if (state.phase !== 'open' && state.phase !== 'detached') return refuse;
    const { session } = state;
    if (claim.guildId !== session.guildId || claim.sessionId !== session.id) return refuse;
    const after = unwrapAck(session.seq, claim.seqAck);
    // What the client missed is no longer all there, or never was: it must begin anew.
    if (after < 0 || after + 1 < oldest) return refuse;
    const effects: VoiceEffect[] = [{ type: 'take', socket: link.socket }];
    // One connection a session: the one that is still there is the old one.
    if (state.phase === 'open') effects.unshift(closing(state.link.socket, 4006));
    effects.push(
      { type: 'send', socket: link.socket, message: { op: VoiceOp.Resumed, d: null } },
      { type: 'replay', socket: link.socket, after, through: session.seq },
    );
    return { state: { phase: 'open', link, session }, effects };
  }

  function onCut(state: VoiceState, close: { code: number; reason: string } | undefined, now: number): Step {
    if (state.phase !== 'greeting' && state.phase !== 'open') return stay(state);
    const { socket } = state.link;
    const effect: VoiceEffect =
      close === undefined
        ? { type: 'destroy', socket }
        : { type: 'close', socket, code: close.code, reason: close.reason };
    if (state.phase === 'greeting') return { state: ENDED, effects: [effect] };
    if (close !== undefined && !isVoiceResumable(close.code)) {
      return { state: ENDED, effects: [effect, { type: 'forget', session: state.session }] };
    }
    return { state: detach(state.session, now), effects: [effect] };
  }

  function onTimer(state: VoiceState, now: number): Step {
    const due = deadline(state);
    if (due === undefined || now < due) return stay(state);
    return state.phase === 'detached' ? end(state.session) : closeWith(state, 4009);
  }

  function deadline(state: VoiceState): number | undefined {
    if (state.phase === 'greeting' || state.phase === 'open') return state.link.heartbeatBy;
    return state.phase === 'detached' ? state.expiresAt : undefined;
  }

  function detach(session: VoiceSession, now: number): VoiceState {
    return { phase: 'detached', session, expiresAt: now + rules.resumeWindowMs };
  }

  function count(link: VoiceLink, now: number): VoiceLink {
    if (now < link.windowEndsAt) return { ...link, sent: link.sent + 1 };
    return { ...link, windowEndsAt: now + rules.messageWindowMs, sent: 1 };
  }

  return { step, deadline };
}

/** Closes what is open; the codes that this package sends by itself all end a session. */
function closeWith(state: VoiceState, code: VoiceCloseCodeNumber): Step {
  if (state.phase !== 'greeting' && state.phase !== 'open') return stay(state);
  const effects: VoiceEffect[] = [closing(state.link.socket, code)];
  if (state.phase === 'open') effects.push({ type: 'forget', session: state.session });
  return { state: ENDED, effects };
}

const BACKEND_VERSION = { voice: '0.12.0', rtc_worker: '0.5.0' } as const;

function readyOf({ audioSsrc, streams, ip, port, modes }: Seat): unknown {
  return {
    ssrc: audioSsrc,
    ip,
    port,
    modes,
    streams: streams.map(({ type, rid, quality, ssrc, rtxSsrc }) => ({
      type,
      ssrc,
      rtx_ssrc: rtxSsrc,
      rid,
      quality,
      active: false,
    })),
    experiments: [],
  };
}

function descriptionOf(session: VoiceSession, description: Description): unknown {
  return {
    ...choosePair(session.codecs),
    media_session_id: description.mediaSessionId,
    mode: description.mode,
    secret_key: description.secretKey.reveal(),
    dave_protocol_version: description.daveVersion,
  };
}

/** Whether every SSRC of an announcement was given to that client; zeros say that there is none. */
function ownsVideo(seat: Seat, claim: Extract<VoiceRequest, { kind: 'video' }>): boolean {
  const owns = (ssrc: number, rtxSsrc: number): boolean =>
    (ssrc === 0 && rtxSsrc === 0) ||
    seat.streams.some((stream) => stream.ssrc === ssrc && (rtxSsrc === 0 || stream.rtxSsrc === rtxSsrc));
  return (
    (claim.audioSsrc === 0 || claim.audioSsrc === seat.audioSsrc) &&
    owns(claim.videoSsrc, claim.rtxSsrc) &&
    claim.streams.every(({ ssrc, rtxSsrc }: StreamClaim) => owns(ssrc, rtxSsrc))
  );
}

const closing = (socket: number, code: VoiceCloseCodeNumber): VoiceEffect => ({
  type: 'close',
  socket,
  code,
  reason: VOICE_CLOSE_CODES[code].reason,
});

const stay = (state: VoiceState): Step => ({ state, effects: [] });
const end = (session: VoiceSession): Step => ({ state: ENDED, effects: [{ type: 'forget', session }] });
