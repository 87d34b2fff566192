/** What has to hold on every transition of a voice connection, and what is known beside its state to judge that. */
import type { Stamp, TimerInput } from '@guildkit/core';
import { traitsOf } from '@guildkit/rtp';
import type { VoiceRules } from '../../src/protocol/voice-rules.js';
import type { VoiceReducer } from '../../src/protocol/voice-session.js';
import { isLive } from '../../src/protocol/voice-steps.js';
import type { Target, VoiceEffect, VoiceInput, VoiceState } from '../../src/protocol/voice-types.js';

export type News = string;
export type Input = (VoiceInput<News> | TimerInput) & Stamp;
export type Effect = VoiceEffect<News>;

export interface Transition {
  readonly from: VoiceState;
  readonly input: Input;
  readonly to: VoiceState;
  readonly effects: readonly Effect[];
}

/** What an onlooker knows who sees inputs and effects only. */
export interface World {
  readonly socket: number | undefined;
  readonly udp: number | undefined;
  readonly media: boolean;
  /** Channel of the last voice state. */
  readonly stateOf: string | undefined;
  /** A server update has come since the last request, leave or `endpoint: null`. */
  readonly server: boolean;
  /** Identified on this socket, or resumed. */
  readonly greeted: boolean;
  readonly described: boolean;
  readonly lastSeq: number | undefined;
  /** The server has answered a keepalive on this UDP socket. */
  readonly answered: boolean;
}

export const EMPTY_WORLD: World = {
  socket: undefined,
  udp: undefined,
  media: false,
  stateOf: undefined,
  server: false,
  greeted: false,
  described: false,
  lastSeq: undefined,
  answered: false,
};

/** The world after what happened, before what is done about it. */
function afterInput(world: World, { from, input }: Transition): World {
  switch (input.type) {
    case 'voiceState':
      return { ...world, stateOf: input.channelId ?? undefined };
    case 'voiceServer':
      return { ...world, server: input.endpoint !== null };
    case 'socketClosed':
      return input.gen === world.socket ? { ...world, socket: undefined, greeted: false } : world;
    case 'keepaliveAnswered':
      return from.phase === 'ready' && input.seq === from.link.keepalive.pending?.seq && input.udpGen === world.udp
        ? { ...world, answered: true }
        : world;
    case 'frame': {
      const isOurs = input.gen === world.socket && isLive(from);
      return isOurs && input.seq !== undefined ? { ...world, lastSeq: input.seq } : world;
    }
    default:
      return world;
  }
}

function afterEffect(world: World, effect: Effect, transition: Transition): World {
  switch (effect.type) {
    case 'openSocket':
      return { ...world, socket: effect.gen, greeted: false };
    case 'closeSocket':
      return { ...world, socket: undefined, greeted: false };
    case 'openUdp':
      return { ...world, udp: effect.udpGen, described: false, answered: false };
    case 'closeUdp':
      return { ...world, udp: undefined, described: false };
    case 'send':
      if (effect.control.kind === 'identify') return { ...world, greeted: true, lastSeq: undefined };
      return effect.control.kind === 'resume' ? { ...world, greeted: true } : world;
    case 'prepareSession':
      return { ...world, described: true };
    case 'sendVoiceState':
      return isMute(effect.target, transition) ? world : { ...world, server: false };
    case 'sessionStarted':
      return { ...world, media: true };
    case 'sessionLost':
      return { ...world, media: false };
    default:
      return world;
  }
}

/** Opcode 4 that asks for no other channel: nothing new comes for it. */
function isMute(target: Target | null, { from, input }: Transition): boolean {
  if (target === null || input.type !== 'join' || !('target' in from)) return false;
  return from.target.channelId === target.channelId && from.phase !== 'expelled' && from.phase !== 'waiting';
}

export function nextWorld(world: World, transition: Transition): World {
  return transition.effects.reduce(
    (scene, effect) => afterEffect(scene, effect, transition),
    afterInput(world, transition),
  );
}

type Check = (context: {
  readonly transition: Transition;
  readonly rules: VoiceRules;
  readonly reducer: VoiceReducer;
  /** Before the input. */
  readonly world: World;
  /** The world as each effect finds it. */
  readonly scenes: readonly { readonly effect: Effect; readonly world: World }[];
  readonly after: World;
}) => boolean;

const has = (effects: readonly Effect[], type: Effect['type']): boolean =>
  effects.some((effect) => effect.type === type);
const joins = (effects: readonly Effect[]): boolean =>
  effects.some((effect) => effect.type === 'sendVoiceState' && effect.target !== null);
const leaves = (effects: readonly Effect[]): boolean =>
  effects.some((effect) => effect.type === 'sendVoiceState' && effect.target === null);
const isOwnSocket = ({ from, input }: Transition): boolean => 'gen' in input && input.gen === from.gen && isLive(from);

export const INVARIANTS = {
  'messages go to the open socket only': ({ scenes }) =>
    scenes.every(({ effect, world }) =>
      effect.type === 'send' || effect.type === 'closeSocket' || effect.type === 'prepareSession'
        ? effect.gen === world.socket
        : true,
    ),
  'one socket at a time': ({ scenes }) =>
    scenes.every(({ effect, world }) => effect.type !== 'openSocket' || world.socket === undefined),
  'datagrams go to the open UDP socket only': ({ scenes }) =>
    scenes.every(({ effect, world }) =>
      effect.type === 'sendDiscovery' || effect.type === 'sendKeepalive' || effect.type === 'closeUdp'
        ? effect.udpGen === world.udp
        : true,
    ),
  'one UDP socket at a time': ({ scenes }) =>
    scenes.every(({ effect, world }) => effect.type !== 'openUdp' || world.udp === undefined),
  'nothing is left open when idle': ({ transition: { to }, after }) =>
    to.phase !== 'idle' || (after.socket === undefined && after.udp === undefined && !after.media),
  'every phase but idle has a deadline': ({ transition: { to }, reducer }) =>
    (to.phase === 'idle') === (reducer.deadline(to) === undefined) && reducer.deadline(to) !== Number.POSITIVE_INFINITY,
  'a due timer changes something': ({ transition: { from, to, input }, reducer }) =>
    input.type !== 'timer' || (reducer.deadline(from) ?? Number.POSITIVE_INFINITY) > input.now || from !== to,
  'a stale input does nothing': ({ transition: { from, input, to, effects } }) => {
    const stale = ('gen' in input && input.gen !== from.gen) || ('udpGen' in input && input.udpGen !== from.udpGen);
    return !stale || (effects.length === 0 && to === from);
  },
  'no socket without voice state and server update': ({ scenes, transition: { to } }) =>
    scenes.every(
      ({ effect, world }) =>
        effect.type !== 'openSocket' ||
        (to.phase === 'opening' && (to.link !== undefined || (world.server && world.stateOf === to.target.channelId))),
    ),
  'fatal close codes stop': ({ transition, rules }) => {
    const { input, to, effects } = transition;
    if (input.type !== 'socketClosed' || !isOwnSocket(transition)) return true;
    if (rules.closeCode(input.code).next !== 'stop') return true;
    return to.phase === 'idle' && !joins(effects) && effects.some((e) => e.type === 'ended' && e.how === 'fatal');
  },
  'only 4015 and codes below 4000 are resumed': ({ transition }) => {
    const { input, to } = transition;
    if (input.type !== 'socketClosed' || !isOwnSocket(transition)) return true;
    const mayResume = input.code === 4015 || input.code < 4000;
    return mayResume || !('link' in to) || to.link === undefined;
  },
  'after 4014 and 4022 a server update is waited for, nothing is asked': ({ transition, rules }) => {
    const { input, to, effects } = transition;
    if (input.type !== 'socketClosed' || !isOwnSocket(transition)) return true;
    if (rules.closeCode(input.code).next !== 'await') return true;
    if (to.phase !== 'expelled' || joins(effects)) return false;
    return (
      to.until === input.now + rules.expelledTimeoutMs && to.how === (input.code === 4022 ? 'channelDeleted' : 'kicked')
    );
  },
  'who is out comes back by a server update, a voice state or connect() only': ({ transition }) => {
    const { from, input, to } = transition;
    if (from.phase !== 'expelled' || to.phase === 'expelled' || to.phase === 'idle') return true;
    if (input.type === 'timer') return from.moveUntil !== undefined;
    return input.type === 'voiceServer' || input.type === 'voiceState' || input.type === 'join';
  },
  'idle is left by connect() only': ({ transition: { from, to, input } }) =>
    from.phase !== 'idle' || to.phase === 'idle' || input.type === 'join',
  'disconnect() ends at once, and the gateway is told': ({ transition: { from, to, input, effects } }) =>
    input.type !== 'leave' ||
    from.phase === 'idle' ||
    (to.phase === 'idle' && leaves(effects) && has(effects, 'ended')),
  'ended is told once, with the end': ({ transition: { from, to, effects } }) =>
    effects.filter(({ type }) => type === 'ended').length === (from.phase !== 'idle' && to.phase === 'idle' ? 1 : 0),
  'media is there exactly while its session is': ({ transition: { to }, after }) => {
    const holds =
      ('link' in to && to.link !== undefined) || (to.phase === 'selecting' && to.cause.reason === 'addressChanged');
    return after.media === holds;
  },
  'UDP is open exactly while it may be used': ({ transition: { to }, after }) => {
    const holds = to.phase === 'discovering' || to.phase === 'selecting' || ('link' in to && to.link !== undefined);
    return (after.udp !== undefined) === holds;
  },
  'media is told of an end only when it had a beginning': ({ scenes }) =>
    scenes.every(({ effect, world }) => effect.type !== 'sessionLost' || world.media),
  'ready needs a described and prepared session, or a resumed one': ({ transition: { from, to, input }, after }) => {
    if (to.phase !== 'ready' || from.phase === 'ready') return true;
    if (input.type === 'sessionPrepared') return after.described;
    return input.type === 'frame' && input.frame.kind === 'resumed' && from.phase === 'resuming';
  },
  'nobody is greeted twice on one socket': ({ scenes }) =>
    scenes.every(
      ({ effect, world }) =>
        effect.type !== 'send' ||
        (effect.control.kind !== 'identify' && effect.control.kind !== 'resume') ||
        !world.greeted,
    ),
  'a resume is of the session that was identified': ({ transition: { from, effects } }) =>
    effects.every(
      (effect) =>
        effect.type !== 'send' ||
        effect.control.kind !== 'resume' ||
        (from.phase === 'opening' && effect.control.sessionId === from.link?.sessionId),
    ),
  'beats and resumes carry the last number': ({ transition: { to, effects } }) =>
    effects.every(
      (effect) =>
        effect.type !== 'send' ||
        (effect.control.kind !== 'heartbeat' && effect.control.kind !== 'resume') ||
        effect.control.seqAck === to.seqAck,
    ),
  'a numbered message is taken once': ({ transition, world }) => {
    const { input, effects } = transition;
    if (input.type !== 'frame' || input.seq === undefined || !isOwnSocket(transition)) return true;
    const repeated = input.seq === world.lastSeq;
    return !repeated || !has(effects, 'deliver');
  },
  'an unanswered beat ends the socket when the next is due': ({
    transition: { from, input, to },
    rules,
    reducer,
    after,
  }) => {
    if (input.type !== 'timer' || !('heart' in from) || from.heart.unansweredSince === undefined) return true;
    if (from.heart.nextAt > input.now) return true;
    // Held up: put off once.
    if (!from.excused && to.excused && input.now > (reducer.deadline(from) ?? 0) + rules.lateTimerMs) return true;
    // Another wait of the same moment may have ended it, or have been put off at a time before.
    return after.socket !== from.gen;
  },
  'a wait is put off once, for a moment': ({ transition: { from, to, input }, rules, reducer }) => {
    if (input.type !== 'timer') return true;
    if (from.excused && isLive(from) && 'until' in from && from.until <= input.now) return to.phase !== from.phase;
    if (!to.excused || from.excused || from.phase !== to.phase) return true;
    return (reducer.deadline(to) ?? 0) <= input.now + rules.lateGraceMs;
  },
  'a late timer ends nothing before what has come is read': ({ transition: { from, to, input }, rules, reducer }) => {
    const due = reducer.deadline(from);
    if (input.type !== 'timer' || due === undefined || input.now <= due + rules.lateTimerMs || from.excused)
      return true;
    const waits = isLive(from) || from.phase === 'signalling';
    const isMove = isLive(from) && from.moveUntil !== undefined && from.moveUntil <= input.now;
    return !waits || isMove || to.phase === from.phase;
  },
  'tries are forgotten after a stable session only': ({ transition: { from, to, input }, rules }) => {
    if (to.attempts >= from.attempts || to.phase === 'idle' || input.type === 'join') return true;
    const link = 'link' in from ? from.link : undefined;
    return link !== undefined && input.now - link.readySince >= rules.stableAfterMs;
  },
  'a try waits as the backoff says': ({ transition: { from, to, input }, rules }) => {
    if (to.phase !== 'waiting' || from.phase === 'waiting') return true;
    const delay = to.until - input.now;
    return delay >= (rules.backoff.minMs ?? 0) && delay <= rules.backoff.capMs;
  },
  'resumes in a row are bounded': ({ transition: { to }, rules }) => to.resumes <= rules.maxResumes,
  'legacy encryption is chosen only when nothing else is offered, and told': ({
    transition: { to, from, effects },
  }) => {
    if (to.phase !== 'discovering' || from.phase === 'discovering') return true;
    const offersAead = to.offer.modes.includes('aead_aes256_gcm_rtpsize');
    const { legacy } = traitsOf(to.mode);
    return legacy ? !offersAead && has(effects, 'legacyMode') : true;
  },
  'a move is followed': ({ transition: { from, to, input, effects } }) => {
    if (input.type !== 'voiceState' || input.channelId === null) return !has(effects, 'moved');
    if (!isLive(from) && from.phase !== 'expelled') return true;
    return to.phase !== 'idle' && to.target.channelId === input.channelId;
  },
  'a discovery that is lost is sent again': ({ transition: { to, input }, rules }) =>
    to.phase !== 'discovering' || to.retryAt <= input.now + rules.discoveryRetryMs,
  'without an endpoint nothing is connected': ({ transition: { from, to, input } }) =>
    input.type !== 'voiceServer' || input.endpoint !== null || from.phase === 'idle' || to.phase === 'signalling',
  'a path is called dead only when it has answered before': ({ transition: { from, to, input }, world }) => {
    if (to.cause.reason !== 'udpTimeout' || from.cause.reason === 'udpTimeout') return true;
    return input.type === 'timer' && from.phase === 'ready' && world.answered;
  },
  'keepalives go out while ready': ({ transition: { from, to, input, effects }, rules }) => {
    if (input.type !== 'timer' || from.phase !== 'ready' || to.phase !== 'ready' || to.excused) return true;
    const sent = has(effects, 'sendKeepalive');
    // One thing at a time; the timer comes again at once for the other.
    return sent
      ? to.link.keepalive.nextAt === input.now + rules.keepaliveMs
      : to.link.keepalive === from.link.keepalive;
  },
} as const satisfies Readonly<Record<string, Check>>;

export type InvariantName = keyof typeof INVARIANTS;

/** The first rule that is broken. */
export function brokenInvariant(
  transition: Transition,
  rules: VoiceRules,
  reducer: VoiceReducer,
  world: World,
): InvariantName | undefined {
  let scene = afterInput(world, transition);
  const scenes = transition.effects.map((effect) => {
    const found = { effect, world: scene };
    scene = afterEffect(scene, effect, transition);
    return found;
  });
  const context = { transition, rules, reducer, world, scenes, after: scene };
  for (const [name, check] of Object.entries(INVARIANTS) as [InvariantName, Check][]) {
    if (!check(context)) return name;
  }
  return undefined;
}
