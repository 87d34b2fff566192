/** Owns what goes into a channel's DAVE delivery service and what comes out of it. */

/** What DAVE is in a channel. */
export type DavePolicy =
  /** Encrypted while every member can; someone who cannot turns it off for all (op 21, version 0), as in 2024 and 2025. */
  | 'prefer'
  /** Who cannot is refused with 4017, as Discord does since March 2026. */
  | 'require'
  /** Never: a stage channel. */
  | 'off';

/** Settings of a {@link DaveService}. */
export interface DaveServiceOptions {
  /** The voice channel: its id is the MLS group id. */
  readonly channelId: string;
  /** @defaultValue `'require'` */
  readonly policy?: DavePolicy | undefined;
  /**
   * How long members have to say that they are ready for a transition (op 23), in ms.
   *
   * @defaultValue 2,000: the whitepaper says "roughly two seconds"
   */
  readonly transitionTimeoutMs?: number | undefined;
  /**
   * How long proposals may go without a valid commit before the group is made anew, in ms. Doubles with every time in a row.
   *
   * @defaultValue 5,000
   */
  readonly commitTimeoutMs?: number | undefined;
  /**
   * How long adds and removes are collected before they are proposed together, in ms; 0 to propose each at once.
   *
   * @defaultValue 20
   */
  readonly batchMs?: number | undefined;
}

/** What happened in the channel. Bytes are the message after its op byte. */
export type DaveServiceInput =
  /** A member has got its session description. A user who is there already is replaced. */
  | { readonly type: 'joined'; readonly userId: string; readonly maxVersion: number }
  | { readonly type: 'left'; readonly userId: string }
  /** The connection is gone, the session may be resumed: nobody waits for this member. */
  | { readonly type: 'detached'; readonly userId: string }
  | { readonly type: 'resumed'; readonly userId: string }
  /** Binary op 26. */
  | { readonly type: 'keyPackage'; readonly userId: string; readonly payload: Uint8Array }
  /** Binary op 28. */
  | { readonly type: 'commitWelcome'; readonly userId: string; readonly payload: Uint8Array }
  /** JSON op 23. */
  | { readonly type: 'transitionReady'; readonly userId: string; readonly transitionId: number }
  /** JSON op 31. */
  | { readonly type: 'invalidCommitWelcome'; readonly userId: string; readonly transitionId: number }
  | { readonly type: 'timer' };

/** A message for one member, before it has a sequence number. */
export type DaveMessage =
  | {
      readonly kind: 'json';
      readonly op: 21;
      readonly d: { readonly protocol_version: number; readonly transition_id: number };
    }
  | { readonly kind: 'json'; readonly op: 22; readonly d: { readonly transition_id: number } }
  | {
      readonly kind: 'json';
      readonly op: 24;
      readonly d: { readonly protocol_version: number; readonly epoch: number };
    }
  /** To be sent as `u16 seq | u8 op | payload`. */
  | { readonly kind: 'binary'; readonly op: 25 | 27 | 29 | 30; readonly payload: Uint8Array };

/** A message and whom it is for. */
export interface DaveOutput {
  readonly userId: string;
  readonly message: DaveMessage;
}

/** Whether someone may come in. */
export type DaveAdmission =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: 4017; readonly reason: string };

/** Why a message of a member was refused. */
export type DaveRefusal =
  /** From someone who is not in the channel, or while DAVE is off. */
  | 'notMember'
  /** Bytes that are no such message, or that go on behind their end. */
  | 'malformed'
  /** Another group than the channel's. */
  | 'wrongGroup'
  /** A commit for a past or future epoch: most often the second of two that raced. */
  | 'wrongEpoch'
  /** A commit that does not reference exactly the proposals of its epoch. */
  | 'wrongProposals'
  /** A commit in the name of another leaf, or by someone who is not in the group. */
  | 'wrongSender'
  /** A commit of a member whose commits others could not process. */
  | 'barred'
  /** A signature that does not fit, or a credential or signature key other than the committer's. */
  | 'forged'
  /** A commit that adds, without a secret for everyone who is added. */
  | 'incompleteWelcome'
  /** A key package of another user, version, ciphersuite or lifetime. */
  | 'wrongKeyPackage';

/** What the delivery service of a channel has counted since it was made. */
export interface DaveCounters {
  readonly keyPackages: number;
  readonly proposals: number;
  readonly revocations: number;
  readonly commits: number;
  readonly welcomes: number;
  /** Op 31. */
  readonly recoveries: number;
  /** Groups that were made anew: sole members, upgrades, lost groups. */
  readonly resets: number;
  readonly downgrades: number;
  readonly upgrades: number;
  readonly transitions: number;
  /** Transitions that went on without someone's op 23. */
  readonly transitionTimeouts: number;
  readonly commitTimeouts: number;
  readonly refused: Readonly<Record<DaveRefusal, number>>;
}

/** How a group stands. */
export interface DaveView {
  /** What the channel speaks: 0 while a member without DAVE is there. */
  readonly protocolVersion: 0 | 1;
  /** The group was made by a commit. */
  readonly established: boolean;
  /** MLS epoch; 0 before the first commit. */
  readonly epoch: bigint;
  /** User ids by leaf; `undefined` where a leaf is blank. */
  readonly leaves: readonly (string | undefined)[];
  /** Everyone who is in the channel. */
  readonly members: readonly string[];
  /** Members who wait to be added. */
  readonly pending: readonly string[];
  /** Transitions that wait for op 23. */
  readonly transitions: readonly number[];
}

/** The DAVE side of one voice channel. */
export interface DaveService {
  /** Whether a member with that `max_dave_protocol_version` may come in. */
  admit(maxVersion: number): DaveAdmission;
  /** What `dave_protocol_version` of its session description has to be, if it joined now. */
  versionFor(maxVersion: number): 0 | 1;
  /** Takes an input. Never throws, whatever a member sent. */
  handle(input: DaveServiceInput, now: number): readonly DaveOutput[];
  /** When `timer` is wanted, on the scale of `now`; `undefined` for never. */
  readonly deadline: number | undefined;
  readonly counters: DaveCounters;
  readonly view: DaveView;
}
