/**
 * Owns the only contact with @snazzah/davey, an optional peer: loading it, and its sessions behind {@link MlsSession}. Refuses
 * to give it what ends the process: whoever calls has checked frames and messages before.
 */
import { messageOf } from '@guildkit/core';
import type { DAVESession, SigningKeyPair } from '@snazzah/davey';
import { RtcError } from '../../errors.js';
import type { DaveCodec, DaveMediaKind } from '../../protocol/dave/dave-types.js';
import type { DaveLibrary, MlsOutcome, MlsSession } from './mls-session.js';

/** davey's const enums, which cannot be imported. */
const MEDIA_TYPE: Readonly<Record<DaveMediaKind, number>> = { audio: 0, video: 1 };
const CODEC: Readonly<Record<DaveCodec, number>> = { opus: 1, vp8: 2, vp9: 3, h264: 4, h265: 5, av1: 6 };
const OPERATION = { append: 0, revoke: 1 } as const;

/** What is used of the module. */
interface Davey {
  readonly DAVE_PROTOCOL_VERSION: number;
  readonly DAVESession: typeof DAVESession;
  generateP256Keypair(): SigningKeyPair;
}

const isDavey = (value: unknown): value is Davey =>
  typeof value === 'object' && value !== null && typeof (value as Partial<Davey>).DAVESession === 'function';

/** The same bytes as the Buffer that davey wants. */
const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function attempt(work: () => void): MlsOutcome {
  try {
    work();
    return { ok: true };
  } catch (error) {
    return { ok: false, detail: messageOf(error) };
  }
}

function wrap(session: DAVESession): MlsSession {
  return {
    get epoch() {
      return session.epoch ?? undefined;
    },
    get epochCode() {
      return session.voicePrivacyCode;
    },
    get userIds() {
      return session.getUserIds();
    },
    setExternalSender: (bytes) => attempt(() => session.setExternalSender(asBuffer(bytes))),
    createKeyPackage() {
      try {
        return session.getSerializedKeyPackage();
      } catch {
        return undefined;
      }
    },
    takeProposals(operation, vector, users) {
      try {
        const { commit, welcome } = session.processProposals(OPERATION[operation], asBuffer(vector), [...users]);
        return { ok: true, answer: commit === undefined ? undefined : { commit, welcome } };
      } catch (error) {
        return { ok: false, detail: messageOf(error) };
      }
    },
    processCommit: (message) => attempt(() => session.processCommit(asBuffer(message))),
    processWelcome: (message) => attempt(() => session.processWelcome(asBuffer(message))),
    encrypt(kind, codec, frame) {
      try {
        return session.encrypt(MEDIA_TYPE[kind], CODEC[codec], asBuffer(frame));
      } catch {
        return undefined;
      }
    },
    decrypt(userId, kind, frame) {
      try {
        return session.decrypt(userId, MEDIA_TYPE[kind], asBuffer(frame));
      } catch {
        return undefined;
      }
    },
    verificationCode: (userId) => session.getVerificationCode(userId),
    close() {
      attempt(() => session.reset());
    },
  };
}

/**
 * Loads the encryption library.
 *
 * @param load For tests and bundlers that name the module otherwise.
 * @throws RtcError `ERR_RTC_DAVE_UNAVAILABLE` when it is not installed, or does not run on this machine.
 */
export async function loadDaveLibrary(
  load: () => Promise<unknown> = () => import('@snazzah/davey'),
): Promise<DaveLibrary> {
  let loaded: unknown;
  try {
    loaded = await load();
  } catch (cause) {
    throw new RtcError('ERR_RTC_DAVE_UNAVAILABLE', '@snazzah/davey could not be loaded', { cause });
  }
  // A CommonJS module: its names may stand beside `default` or within it.
  const { default: inner } = loaded as { default?: unknown };
  const davey = [loaded, inner].find(isDavey);
  if (davey === undefined) throw new RtcError('ERR_RTC_DAVE_UNAVAILABLE', 'what was loaded is not @snazzah/davey');
  return {
    maxProtocolVersion: davey.DAVE_PROTOCOL_VERSION,
    createIdentity: () => davey.generateP256Keypair(),
    createSession(version, userId, channelId, identity) {
      try {
        return wrap(new davey.DAVESession(version, userId, channelId, identity as SigningKeyPair));
      } catch {
        return undefined;
      }
    },
  };
}
