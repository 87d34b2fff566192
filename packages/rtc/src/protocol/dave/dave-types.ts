/** Owns the words in which a connection and its DAVE side talk: inputs, effects, events, answers about frames. */

/** What a frame holds. */
export type DaveMediaKind = 'audio' | 'video';

/**
 * How a frame is encoded: decides which bytes stay readable for the packetiser. `h265` and `av1` are decrypted, as every frame
 * is, but not encrypted: this package does not send them.
 */
export type DaveCodec = 'opus' | 'vp8' | 'vp9' | 'h264' | 'h265' | 'av1';

/** What the voice gateway said, or time. */
export type DaveInput =
  /** Op 4: `dave_protocol_version`. */
  | { readonly type: 'session'; readonly protocolVersion: number }
  /** Op 11. */
  | { readonly type: 'clientsConnect'; readonly userIds: readonly string[] }
  /** Op 13. */
  | { readonly type: 'clientDisconnect'; readonly userId: string }
  /** Op 21. */
  | { readonly type: 'prepareTransition'; readonly protocolVersion: number; readonly transitionId: number }
  /** Op 22. */
  | { readonly type: 'executeTransition'; readonly transitionId: number }
  /** Op 24. */
  | { readonly type: 'prepareEpoch'; readonly protocolVersion: number; readonly epoch: number }
  /** Ops 25, 27, 29, 30; any other op is ignored and counted. */
  | { readonly type: 'binary'; readonly op: number; readonly payload: Uint8Array }
  | { readonly type: 'timer' };

/** Why frames are encrypted or not. */
export type DaveActivity =
  /** Frames are encrypted end to end. */
  | 'active'
  /** DAVE was agreed on, the group is not there yet: alone, or joining. Frames are not sent; readable ones are taken. */
  | 'waiting'
  /** The group is lost and being joined again. Frames are not sent. */
  | 'recovering'
  /** The channel speaks no DAVE (version 0): someone in it cannot. Frames go out readable. */
  | 'off';

/** What listeners want to know. */
export type DaveEvent =
  /** Encryption began, ended, or is being recovered. */
  | { readonly type: 'activity'; readonly from: DaveActivity; readonly to: DaveActivity }
  /** A new MLS epoch: members came or went. `epochCode`: 30 digits, the same for all members, to be compared out of band. */
  | {
      readonly type: 'epoch';
      readonly epoch: bigint;
      readonly epochCode: string;
      readonly userIds: readonly string[];
      readonly transitionId: number;
    }
  /** A transition is in force. */
  | { readonly type: 'transition'; readonly transitionId: number; readonly protocolVersion: number }
  /** There are new keys: frames that were `pending` may be tried again. */
  | { readonly type: 'keys' }
  /** A message of the voice gateway could not be used. Nothing is to be done: it was answered, or ignored, as DAVE asks. */
  | { readonly type: 'problem'; readonly reason: DaveProblem; readonly detail: string };

/** What may be wrong with what the voice gateway says. */
export type DaveProblem =
  /** A version this library does not speak. */
  | 'unsupportedVersion'
  /** A binary message that is none, or that comes before what it needs. */
  | 'malformedMessage'
  /** Proposals of an unknown sender, for an unknown user, or for another epoch. */
  | 'invalidProposals'
  /** A commit that cannot be processed: op 31 was sent. */
  | 'invalidCommit'
  /** A welcome that cannot be processed: op 31 was sent. Or one for a key package that was replaced: ignored. */
  | 'invalidWelcome'
  /** An external sender where one is set. */
  | 'invalidExternalSender';

/** What is to be done, in order. */
export type DaveEffect =
  | { readonly type: 'sendJson'; readonly op: 23 | 31; readonly d: { readonly transition_id: number } }
  | { readonly type: 'sendBinary'; readonly op: 26 | 28; readonly payload: Uint8Array }
  | { readonly type: 'event'; readonly event: DaveEvent };

/** A frame to be sent, or why there is none. H.264 comes out of it with start codes of four bytes throughout, as DAVE asks. */
export type DaveEncryptResult =
  /** `encrypted: false`: `data` is the frame itself. */
  | { readonly ok: true; readonly data: Uint8Array; readonly encrypted: boolean }
  | {
      readonly ok: false;
      readonly reason: /** There is no group yet: alone, or being added. Drop the frame: nobody could open it. */
        | 'waiting'
        /** The group is being recovered: drop the frame. */
        | 'recovering'
        /** The frame does not fit its codec, or no ciphertext without start codes was found (H.264, H.265). */
        | 'failed';
    };

/** A frame that was received, or why it cannot be used. */
export type DaveDecryptResult =
  /** `encrypted: false`: it came readable and that is allowed now; `data` is the frame itself. */
  | { readonly ok: true; readonly data: Uint8Array; readonly encrypted: boolean }
  | {
      readonly ok: false;
      readonly reason: /** No key yet: of a member who is being added, or of an epoch that is to come. May be tried again after `keys`. */
        | 'pending'
        /** Readable where it must not be. */
        | 'unencrypted'
        /** No key fits: forged, damaged, replayed, or of an epoch that ended over 10 s ago. */
        | 'failed';
    };

/** What a `DaveClient` has counted. */
export interface DaveStats {
  readonly encrypted: number;
  readonly encryptFailed: number;
  readonly decrypted: number;
  /** Readable frames that were let through, silence included. */
  readonly passedThrough: number;
  readonly decryptPending: number;
  readonly decryptUnencrypted: number;
  readonly decryptFailed: number;
  readonly epochs: number;
  readonly transitions: number;
  /** Op 31 sent. */
  readonly recoveries: number;
  readonly problems: number;
}

/** The DAVE side of one connection. */
export interface DaveClient {
  /** What op 0 carries as `max_dave_protocol_version`. */
  readonly maxProtocolVersion: number;
  readonly activity: DaveActivity;
  /** 30 digits that all members of the epoch share; `undefined` while not active. */
  readonly epochCode: string | undefined;
  /** MLS epoch; `undefined` without a group. */
  readonly epoch: bigint | undefined;
  /** Takes what the voice gateway said. Never throws, whatever it is. */
  handle(input: DaveInput, now: number): readonly DaveEffect[];
  /** When `timer` is wanted, on the scale of `now`; `undefined` for never. */
  readonly deadline: number | undefined;
  /** Encrypts a whole frame. Never throws. */
  encrypt(kind: DaveMediaKind, codec: DaveCodec, frame: Uint8Array): DaveEncryptResult;
  /** Decrypts a whole frame of a user. Never throws. */
  decrypt(userId: string, kind: DaveMediaKind, frame: Uint8Array, now: number): DaveDecryptResult;
  /**
   * The 45 digits that this user and that one share, to be compared out of band: who sees the same has no one between.
   *
   * @throws RtcError `ERR_RTC_DAVE_INACTIVE` when the user is not in the group.
   */
  verificationCode(userId: string): Promise<string>;
  readonly stats: DaveStats;
  /** Forgets all keys. The client cannot be used again. */
  close(): void;
}
