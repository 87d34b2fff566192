/**
 * Owns the state, inputs and effects of a channel's delivery service. Proposals, key packages and commits are numbers and
 * facts here; their bytes, signatures and hashes stay with the shell.
 */
import type { Leaves } from './leaves.js';

/** The numbers and the policy of a service. */
export interface DeliveryRules {
  readonly policy: 'prefer' | 'require' | 'off';
  readonly transitionTimeoutMs: number;
  readonly commitTimeoutMs: number;
  readonly batchMs: number;
  /** How often in a row a member may flag before it waits to be added again. */
  readonly flagsForgiven: number;
}

/** Someone in the channel. */
export interface DeliveryMember {
  readonly userId: string;
  readonly maxVersion: number;
  /** Its connection is there; otherwise its session may be resumed. */
  readonly attached: boolean;
  /** It was told the external sender. Once is all: clients refuse a second one while they are in a group. */
  readonly knowsSender: boolean;
  /** Number of its unused key package. */
  readonly keyPackage: number | undefined;
  /** Number of the one that brought it into a group. */
  readonly spent: number | undefined;
  /** How often in a row it could not process what it was sent. */
  readonly flags: number;
  /** When it may be proposed again. */
  readonly addFrom: number;
}

/** A proposal that the service makes. */
export type Proposal =
  | { readonly id: number; readonly kind: 'add'; readonly userId: string; readonly keyPackage: number }
  | { readonly id: number; readonly kind: 'remove'; readonly leaf: number };

/** The proposals of the current epoch, and until when one of the committers has to commit them. */
export interface Round {
  readonly proposals: readonly Proposal[];
  /** Who was told them, and may commit. */
  readonly committers: readonly string[];
  readonly by: number;
}

/** A change that becomes valid when everyone is ready. */
export interface PendingTransition {
  readonly id: number;
  readonly kind: 'commit' | 'downgrade';
  /** Who gets op 22. */
  readonly told: readonly string[];
  /** Who has not sent op 23 yet. */
  readonly waiting: readonly string[];
  readonly by: number;
}

/** A commit that was announced, for the case that members cannot process it. */
export interface Announced {
  readonly transitionId: number;
  readonly committer: string;
  /** Who else was in the group and had to process the commit. */
  readonly members: readonly string[];
  /** Who was added and had to process the welcome. */
  readonly welcomed: readonly string[];
  readonly flaggedBy: readonly string[];
}

export interface DeliveryState {
  /** In order of joining. */
  readonly members: readonly DeliveryMember[];
  /** Everyone speaks DAVE: proposals flow. */
  readonly encrypted: boolean;
  /** 0: no group was made yet. */
  readonly epoch: number;
  readonly leaves: Leaves;
  /** Leaves whose member is gone, or to be added again with other keys. */
  readonly stale: readonly number[];
  readonly round: Round | undefined;
  /** When what is wanted is proposed. */
  readonly flushAt: number | undefined;
  readonly transitions: readonly PendingTransition[];
  /** The last one is the newest. */
  readonly announced: readonly Announced[];
  /** Members whose commits others could not process. */
  readonly barred: readonly string[];
  /** The group that comes next replaces readable frames: all have to begin together. */
  readonly upgrading: boolean;
  readonly lastTransition: number;
  readonly lastProposal: number;
  /** Rounds in a row that nobody committed. */
  readonly deadRounds: number;
}

/** A commit that parses, with its signature checked. */
export interface CommitFacts {
  readonly epoch: number;
  readonly sender: number;
  /** Proposals of the round in the commit's order; `undefined` when it references or holds another one, or one twice. */
  readonly proposals: readonly number[] | undefined;
  /** Key packages for which its Welcome has a secret. */
  readonly welcomes: readonly number[];
}

export type DeliveryInput =
  | { readonly type: 'joined'; readonly userId: string; readonly maxVersion: number }
  | { readonly type: 'left'; readonly userId: string }
  | { readonly type: 'detached'; readonly userId: string }
  | { readonly type: 'resumed'; readonly userId: string }
  /** A valid key package of that user, under a number of its own; the same number when it is said again. */
  | { readonly type: 'keyPackage'; readonly userId: string; readonly keyPackage: number }
  | { readonly type: 'commit'; readonly userId: string; readonly facts: CommitFacts }
  | { readonly type: 'transitionReady'; readonly userId: string; readonly transitionId: number }
  | { readonly type: 'invalid'; readonly userId: string; readonly transitionId: number }
  | { readonly type: 'timer' };

/** What is counted as it happens. */
export type DeliveryCount =
  | 'keyPackages'
  | 'proposals'
  | 'revocations'
  | 'commits'
  | 'welcomes'
  | 'recoveries'
  | 'resets'
  | 'downgrades'
  | 'upgrades'
  | 'transitions'
  | 'transitionTimeouts'
  | 'commitTimeouts';

/** Why an input of a member was refused. */
export type DeliveryRefusal =
  | 'notMember'
  | 'wrongEpoch'
  | 'wrongProposals'
  | 'wrongSender'
  | 'incompleteWelcome'
  | 'barred';

export type DeliveryEffect =
  /** Make these proposals for the epoch, for the appends that follow. */
  | { readonly type: 'propose'; readonly epoch: number; readonly proposals: readonly Proposal[] }
  /** Op 27. */
  | { readonly type: 'append'; readonly to: string; readonly proposals: readonly number[] }
  | { readonly type: 'revoke'; readonly to: string; readonly proposals: readonly number[] }
  /** Op 25. */
  | { readonly type: 'externalSender'; readonly to: string }
  /** Op 24. */
  | { readonly type: 'prepareEpoch'; readonly to: string; readonly version: number; readonly epoch: number }
  /** Op 21. */
  | { readonly type: 'prepareTransition'; readonly to: string; readonly version: number; readonly transitionId: number }
  /** Op 22. */
  | { readonly type: 'execute'; readonly to: string; readonly transitionId: number }
  /** Op 29 with the commit of the input. */
  | { readonly type: 'announce'; readonly to: string; readonly transitionId: number }
  /** Op 30 with the part of the input's Welcome that is for this key package. */
  | { readonly type: 'welcome'; readonly to: string; readonly transitionId: number; readonly keyPackage: number }
  | { readonly type: 'count'; readonly what: DeliveryCount; readonly by: number }
  | { readonly type: 'refuse'; readonly reason: DeliveryRefusal };
