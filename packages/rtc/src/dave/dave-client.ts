/**
 * Owns the DAVE side of one connection: runs the transitions (`protocol/dave/transitions.ts`), carries their effects out on
 * MLS sessions, encrypts and decrypts frames with whichever session has the keys. Refuses sockets and timers.
 */
import type { TimerInput } from '@guildkit/core';
import type { DaveLibrary, MlsSession } from '../codec/dave/mls-session.js';
import { keyPackageReference } from '../codec/dave/reference.js';
import { RtcError } from '../errors.js';
import type {
  DaveClient,
  DaveEffect,
  DaveEvent,
  DaveInput,
  DaveProblem,
  DaveStats,
} from '../protocol/dave/dave-types.js';
import { isEncryptable } from '../protocol/dave/encryptable.js';
import { isProtocolFrame, isSilence } from '../protocol/dave/frame.js';
import { isExternalSender, MAX_MLS_BYTES, parseTransition, welcomedKeyPackage } from '../protocol/dave/mls-messages.js';
import {
  activityOf,
  createDaveReducer,
  type DaveStepEffect,
  type DaveStepInput,
  initialDave,
  takesReadable,
} from '../protocol/dave/transitions.js';
import { createDeafness } from './deafness.js';
import { createProposalBook } from './proposal-book.js';

/** Whose DAVE side it is. */
export interface DaveClientOptions {
  readonly userId: string;
  /** The voice channel: its id is the id of the MLS group. */
  readonly channelId: string;
  /** What `loadDaveLibrary` resolves with. */
  readonly library: DaveLibrary;
}

/** The message of op 29 or 30 while the reducer decides about it. */
type Payload = Uint8Array | undefined;

const UNTOUCHED = { encrypted: false } as const;

/** Creates the DAVE side of a connection that has not been told of a session yet. */
export function createDaveClient({ userId, channelId, library }: DaveClientOptions): DaveClient {
  const reducer = createDaveReducer(library.maxProtocolVersion);
  const identity = library.createIdentity();
  /** The session in use and those whose keys are kept, by number. */
  const sessions = new Map<number, MlsSession>();
  const proposals = createProposalBook();
  const deafness = createDeafness();
  const stats: { -readonly [K in keyof DaveStats]: number } = noStats();
  let state = initialDave();
  let externalSender: Uint8Array | undefined;
  /** Reference of the key package that was sent last. */
  let awaited: Uint8Array | undefined;
  let isClosed = false;

  const current = (): MlsSession | undefined => (state.session === undefined ? undefined : sessions.get(state.session));
  const users = (): string[] => [userId, ...state.others];

  // ── What the voice gateway says ───────────────────────────────────────────────────────────────────────────────────

  function step(input: DaveStepInput | TimerInput, now: number, payload: Payload, out: DaveEffect[]): void {
    const result = reducer.step(state, { ...input, now, random: 0 });
    state = result.state;
    for (const effect of result.effects) carryOut(effect, now, payload, out);
  }

  const tell = (event: DaveEvent, out: DaveEffect[]): void => {
    out.push({ type: 'event', event });
  };

  function problem(reason: DaveProblem, detail: string, out: DaveEffect[]): void {
    stats.problems += 1;
    tell({ type: 'problem', reason, detail }, out);
  }

  function open(number: number, version: number, out: DaveEffect[]): void {
    const session = library.createSession(version, userId, channelId, identity);
    proposals.clear();
    deafness.heard();
    if (session === undefined) {
      problem('unsupportedVersion', `no session of version ${version}`, out);
      return;
    }
    sessions.set(number, session);
    if (externalSender !== undefined) session.setExternalSender(externalSender);
    const keyPackage = session.createKeyPackage();
    if (keyPackage === undefined) return;
    awaited = keyPackageReference(keyPackage);
    out.push({ type: 'sendBinary', op: 26, payload: keyPackage });
  }

  function carryOut(effect: DaveStepEffect, now: number, payload: Payload, out: DaveEffect[]): void {
    switch (effect.type) {
      case 'open':
        open(effect.session, effect.version, out);
        break;
      case 'drop':
        sessions.get(effect.session)?.close();
        sessions.delete(effect.session);
        break;
      case 'process': {
        const { session, what, transitionId } = effect;
        const result = processed(sessions.get(session), what, payload);
        if (result.ok) proposals.clear();
        else problem(what === 'commit' ? 'invalidCommit' : 'invalidWelcome', result.detail, out);
        step({ type: 'processed', what, transitionId, ok: result.ok }, now, undefined, out);
        break;
      }
      case 'send':
        if (effect.op === 31) stats.recoveries += 1;
        out.push({ type: 'sendJson', op: effect.op, d: { transition_id: effect.transitionId } });
        break;
      case 'epoch':
        announceEpoch(sessions.get(effect.session), effect.transitionId, out);
        break;
      case 'transition':
        stats.transitions += 1;
        tell({ type: 'transition', transitionId: effect.transitionId, protocolVersion: effect.version }, out);
        break;
      case 'activity':
        tell(effect, out);
        break;
      case 'problem':
        problem(effect.reason, effect.detail, out);
        break;
    }
  }

  function processed(session: MlsSession | undefined, what: 'commit' | 'welcome', payload: Payload) {
    if (session === undefined || payload === undefined) return { ok: false, detail: 'no session' } as const;
    return what === 'commit' ? session.processCommit(payload) : session.processWelcome(payload);
  }

  function announceEpoch(session: MlsSession | undefined, transitionId: number, out: DaveEffect[]): void {
    stats.epochs += 1;
    deafness.heard();
    const { epoch, epochCode, userIds } = session ?? {};
    if (epoch === undefined || epochCode === undefined || userIds === undefined) return;
    tell({ type: 'epoch', epoch, epochCode, userIds, transitionId }, out);
    tell({ type: 'keys' }, out);
  }

  function takeBinary(op: number, payload: Uint8Array, now: number, out: DaveEffect[]): void {
    if (op === 25) takeExternalSender(payload, out);
    else if (op === 27) takeProposals(payload, now, out);
    else if (op === 29 || op === 30) {
      const parsed = parseTransition(payload);
      if (!parsed.ok) problem('malformedMessage', `op ${op}`, out);
      else {
        const { transitionId, message } = parsed.value;
        const wanted = op === 30 ? welcomedKeyPackage(message) : undefined;
        // Flagged, it would lead to a welcome that is as late: the two would never meet.
        const isLate = wanted !== undefined && awaited !== undefined && Buffer.compare(wanted, awaited) !== 0;
        if (isLate) problem('invalidWelcome', 'for a key package that was replaced', out);
        else step({ type: op === 29 ? 'commit' : 'welcome', transitionId }, now, message, out);
      }
    } else problem('malformedMessage', `op ${op}`, out);
  }

  function takeExternalSender(payload: Uint8Array, out: DaveEffect[]): void {
    if (payload.length > MAX_MLS_BYTES || !isExternalSender(payload)) {
      problem('malformedMessage', 'op 25', out);
      return;
    }
    // Said again, as in a replay: setting it would throw the group away.
    if (externalSender !== undefined && Buffer.compare(externalSender, payload) === 0) return;
    const session = current();
    const result = session?.setExternalSender(payload) ?? { ok: true };
    if (result.ok) externalSender = Uint8Array.from(payload);
    else problem('invalidExternalSender', result.detail, out);
  }

  function takeProposals(payload: Uint8Array, now: number, out: DaveEffect[]): void {
    const session = current();
    if (session === undefined) {
      problem('malformedMessage', 'proposals without a session', out);
      return;
    }
    const outcome = proposals.take(session, payload, users());
    if (outcome.type === 'taken') {
      if (outcome.answer !== undefined) out.push({ type: 'sendBinary', op: 28, payload: outcome.answer });
    } else if (outcome.type === 'refused') problem('invalidProposals', outcome.detail, out);
    else if (outcome.type === 'behind') {
      problem('invalidProposals', 'for an epoch whose commit was missed', out);
      // Who joins is told of no epoch but its own; only a member can be behind.
      if (state.ready) step({ type: 'behind' }, now, undefined, out);
    }
  }

  function handle(input: DaveInput, now: number): readonly DaveEffect[] {
    const out: DaveEffect[] = [];
    if (isClosed) return out;
    if (input.type === 'binary') takeBinary(input.op, input.payload, now, out);
    else if (input.type !== 'timer') step(input, now, undefined, out);
    else {
      const at = deafness.recoverAt;
      if (at !== undefined && now >= at) {
        deafness.gaveUp(now);
        step({ type: 'deaf' }, now, undefined, out);
      }
      step(input, now, undefined, out);
    }
    return out;
  }

  // ── Frames ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The session that encrypts now: the one in use, or while the group is being joined again, the last that had keys. */
  function sender(): MlsSession | undefined {
    if (state.ready) return current();
    const last = state.retired.at(-1);
    return last && sessions.get(last.session);
  }

  const encrypt: DaveClient['encrypt'] = (kind, codec, frame) => {
    const activity = activityOf(state);
    if (activity === 'off' || (kind === 'audio' && isSilence(frame))) return { ok: true, data: frame, ...UNTOUCHED };
    // Alone nobody hears it; a group that is there refuses it; and the server would hear what it is not meant to.
    if (activity === 'waiting') return { ok: false, reason: 'waiting' };
    const session = sender();
    if (session === undefined) return { ok: false, reason: 'recovering' };
    const data = isEncryptable(codec, frame) ? session.encrypt(kind, codec, frame) : undefined;
    if (data === undefined) {
      stats.encryptFailed += 1;
      return { ok: false, reason: 'failed' };
    }
    stats.encrypted += 1;
    return { ok: true, data, encrypted: true };
  };

  const decrypt: DaveClient['decrypt'] = (from, kind, frame, now) => {
    if (!isProtocolFrame(frame)) {
      if (takesReadable(state, now) || (kind === 'audio' && isSilence(frame))) {
        stats.passedThrough += 1;
        return { ok: true, data: frame, ...UNTOUCHED };
      }
      stats.decryptUnencrypted += 1;
      return { ok: false, reason: 'unencrypted' };
    }
    const inUse = current();
    for (const session of [inUse, ...state.retired.map((one) => sessions.get(one.session)).reverse()]) {
      const data = session?.decrypt(from, kind, frame);
      if (data === undefined) continue;
      stats.decrypted += 1;
      deafness.heard();
      return { ok: true, data, encrypted: true };
    }
    if (inUse !== undefined && state.version > 0) deafness.missed(now, state.ready && !proposals.isOpen);
    // Keys may be under way: of the group, of the member, or of the epoch that the proposals lead to.
    const isExpected = inUse !== undefined && (!state.ready || proposals.isOpen || !inUse.userIds.includes(from));
    if (isExpected) stats.decryptPending += 1;
    else stats.decryptFailed += 1;
    return { ok: false, reason: isExpected ? 'pending' : 'failed' };
  };

  return {
    maxProtocolVersion: library.maxProtocolVersion,
    get activity() {
      return activityOf(state);
    },
    get epochCode() {
      return activityOf(state) === 'active' ? current()?.epochCode : undefined;
    },
    get epoch() {
      return state.ready ? current()?.epoch : undefined;
    },
    handle,
    get deadline() {
      const times = [reducer.deadline(state), deafness.recoverAt].filter((at) => at !== undefined);
      return isClosed || times.length === 0 ? undefined : Math.min(...times);
    },
    encrypt,
    decrypt,
    async verificationCode(other) {
      const session = state.ready ? current() : undefined;
      if (session?.userIds.includes(other) !== true) {
        throw new RtcError('ERR_RTC_DAVE_INACTIVE', 'There is no encryption with that user');
      }
      return session.verificationCode(other);
    },
    get stats() {
      return { ...stats };
    },
    close() {
      isClosed = true;
      for (const session of sessions.values()) session.close();
      sessions.clear();
      state = initialDave();
    },
  };
}

const noStats = (): DaveStats => ({
  encrypted: 0,
  encryptFailed: 0,
  decrypted: 0,
  passedThrough: 0,
  decryptPending: 0,
  decryptUnencrypted: 0,
  decryptFailed: 0,
  epochs: 0,
  transitions: 0,
  recoveries: 0,
  problems: 0,
});
