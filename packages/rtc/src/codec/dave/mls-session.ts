/** Owns what the DAVE client needs of a library that speaks MLS and encrypts frames, whichever it is. */
import type { DaveCodec, DaveMediaKind } from '../../protocol/dave/dave-types.js';

/** What a message did to a session. */
export type MlsOutcome = { readonly ok: true } | { readonly ok: false; readonly detail: string };

/** A commit, with the Welcome behind it when it adds someone. */
export interface MlsAnswer {
  readonly commit: Uint8Array;
  readonly welcome: Uint8Array | undefined;
}

/** One user's membership of one group. Nothing throws. */
export interface MlsSession {
  /** MLS epoch, `undefined` without a group. */
  readonly epoch: bigint | undefined;
  /** 30 digits; empty without a group. */
  readonly epochCode: string;
  readonly userIds: readonly string[];
  setExternalSender(bytes: Uint8Array): MlsOutcome;
  /** A new key package; `undefined` when none could be made. */
  createKeyPackage(): Uint8Array | undefined;
  /** Keeps proposals, or forgets them; the commit of those that are kept then. `users`: whom the group may have. */
  takeProposals(
    operation: 'append' | 'revoke',
    vector: Uint8Array,
    users: readonly string[],
  ): { readonly ok: true; readonly answer: MlsAnswer | undefined } | { readonly ok: false; readonly detail: string };
  processCommit(message: Uint8Array): MlsOutcome;
  processWelcome(message: Uint8Array): MlsOutcome;
  /** `undefined` when it cannot be encrypted. */
  encrypt(kind: DaveMediaKind, codec: DaveCodec, frame: Uint8Array): Uint8Array | undefined;
  /** `undefined` when no key fits. */
  decrypt(userId: string, kind: DaveMediaKind, frame: Uint8Array): Uint8Array | undefined;
  /** 45 digits. Rejects when the user is not in the group. */
  verificationCode(userId: string): Promise<string>;
  close(): void;
}

/** A user's key for signing: the same in all sessions of a connection, so that verification codes stay. */
export type MlsIdentity = object;

/** The library. */
export interface DaveLibrary {
  readonly maxProtocolVersion: number;
  createIdentity(): MlsIdentity;
  /** `undefined` when it refuses. */
  createSession(version: number, userId: string, channelId: string, identity: MlsIdentity): MlsSession | undefined;
}
