/**
 * Owns one voice channel's DAVE delivery service: what the voice gateway says to its members about end-to-end encryption,
 * and when (DAVE whitepaper 1.1, "Group Key Exchange"). Takes what members send, gives what they are to be sent. Refuses
 * sockets, sequence numbers and ops 11 and 13: those are the voice gateway's.
 *
 * How a voice gateway uses it, per voice channel:
 *
 * 1. Op 0 Identify: `admit(max_dave_protocol_version)`; `ok: false` → close with its code (4017).
 * 2. Op 1 Select Protocol: send op 4 with `dave_protocol_version: service.versionFor(maxVersion)`, then ops 11, then
 *    `handle({ type: 'joined', … })` at once and send its outputs.
 * 3. Binary 26 and 28, JSON 23 and 31: `handle(…)`, whatever they hold; hostile input is counted, never thrown.
 * 4. The socket is cut but may be resumed: `detached`; op 7 accepted: `resumed`. Outputs for a detached member are still
 *    given: buffer them for the replay. The session is over, or a new Identify took its place: `left` (op 13 first).
 * 5. After every `handle`: arm one timer for `deadline`; when it comes, `handle({ type: 'timer' })`.
 */
import { check, resolveOptions } from '@guildkit/core';
import { createExternalSender, type SignedProposal } from '../codec/dave/external-sender.js';
import { checkCommitLeaf, checkKeyPackage, keyPackageReference } from '../codec/dave/validation.js';
import { sameBytes, uint64 } from '../protocol/dave/bytes.js';
import { type Commit, parseCommit, parseWelcome, type Welcome, welcomeOf } from '../protocol/dave/commit.js';
import { DAVE_VERSION } from '../protocol/dave/constants.js';
import { areAllCapable, createDelivery, initialDelivery } from '../protocol/dave/delivery.js';
import { inGroup } from '../protocol/dave/delivery-draft.js';
import type { DeliveryEffect, DeliveryInput, DeliveryRules } from '../protocol/dave/delivery-types.js';
import { parseKeyPackage } from '../protocol/dave/key-package.js';
import { appendPayload, revokePayload, transitionPayload } from '../protocol/dave/messages.js';
import type {
  DaveCounters,
  DaveMessage,
  DaveOutput,
  DaveRefusal,
  DaveService,
  DaveServiceInput,
  DaveServiceOptions,
  DaveView,
} from './dave-service-types.js';

const DEFAULTS = {
  channelId: '',
  policy: 'require',
  transitionTimeoutMs: 2_000,
  commitTimeoutMs: 5_000,
  batchMs: 20,
} as const satisfies Required<DaveServiceOptions>;

/** A few may be an accident of timing; a client that flags everything must not give all others a new epoch each time. */
const FLAGS_FORGIVEN = 3;

const HOUR_MS = 3_600_000;
const SNOWFLAKE = /^\d{1,20}$/;

/** A snowflake: 64 bits in decimal. */
const isSnowflake = (id: unknown): id is string =>
  typeof id === 'string' && SNOWFLAKE.test(id) && BigInt(id) < 2n ** 64n;

/** A member's unused key package. */
interface Held {
  readonly id: number;
  readonly raw: Uint8Array;
  readonly reference: Uint8Array;
  readonly signatureKey: Uint8Array;
}

/**
 * Creates the DAVE side of a voice channel, with nobody in it.
 *
 * @throws TypeError for an option that is unknown or out of range.
 */
export function createDaveService(options: DaveServiceOptions): DaveService {
  const { channelId, ...settings } = resolveOptions<Settings>('createDaveService', DEFAULTS, options, {
    channelId: (value) => (isSnowflake(value) ? undefined : 'must be the id of a channel'),
    policy: check.oneOf('prefer', 'require', 'off'),
    transitionTimeoutMs: check.integer(1, HOUR_MS),
    commitTimeoutMs: check.integer(1, HOUR_MS),
    batchMs: check.integer(0, HOUR_MS),
  });
  const rules: DeliveryRules = { ...settings, flagsForgiven: FLAGS_FORGIVEN };
  const groupId = uint64(BigInt(channelId));
  const sender = createExternalSender(groupId);
  const delivery = createDelivery(rules);
  const counters = noCounts();
  /** The last valid key package of each user. Kept when it is used up: its key signs the user's commits. */
  const keyPackages = new Map<string, Held>();
  /** Proposals of the round under way by id. */
  const proposals = new Map<number, SignedProposal>();
  let state = initialDelivery(rules);
  let keyPackagesMade = 0;

  const refuse = (reason: DaveRefusal): undefined => {
    counters.refused[reason] += 1;
  };
  const isMember = (userId: string): boolean => state.members.some((member) => member.userId === userId);

  /** Keeps a valid key package of a member. */
  function holdKeyPackage(userId: string, payload: Uint8Array): DeliveryInput | undefined {
    if (!isMember(userId) || !state.encrypted) return refuse('notMember');
    const parsed = parseKeyPackage(payload);
    if (!parsed.ok) return refuse('malformed');
    const problem = checkKeyPackage(parsed.value, userId);
    if (problem !== undefined) return refuse(problem);
    const reference = keyPackageReference(parsed.value);
    const last = keyPackages.get(userId);
    if (last !== undefined && sameBytes(last.reference, reference)) {
      return { type: 'keyPackage', userId, keyPackage: last.id };
    }
    keyPackagesMade += 1;
    keyPackages.set(userId, {
      id: keyPackagesMade,
      // Copies: a view would keep the socket's whole chunk.
      raw: Uint8Array.from(parsed.value.raw),
      reference,
      signatureKey: Uint8Array.from(parsed.value.leaf.signatureKey),
    });
    return { type: 'keyPackage', userId, keyPackage: keyPackagesMade };
  }

  interface Judged {
    readonly input: DeliveryInput;
    readonly commit: Commit;
    readonly welcome: Welcome;
  }

  /** Looks at everything of a commit that can be seen from outside of the group. */
  function readCommit(userId: string, payload: Uint8Array): Judged | undefined {
    if (!isMember(userId) || !state.encrypted) return refuse('notMember');
    const parsed = parseCommit(payload);
    if (!parsed.ok) return refuse('malformed');
    const commit = parsed.value;
    const welcome = commit.rest.length === 0 ? NO_WELCOME : parseWelcome(commit.rest);
    if (!welcome.ok) return refuse('malformed');
    if (!sameBytes(commit.groupId, groupId)) return refuse('wrongGroup');
    const key = keyPackages.get(userId)?.signatureKey;
    if (key === undefined) return refuse('wrongSender');
    // Most late commits end here, before the costly look at signatures.
    if (commit.epoch !== BigInt(state.epoch)) return refuse('wrongEpoch');
    const problem = checkCommitLeaf(commit, key, userId);
    if (problem !== undefined) return refuse(problem);
    const facts = {
      epoch: state.epoch,
      sender: commit.sender,
      proposals: commit.hasInlineProposal ? undefined : proposalsOf(commit),
      welcomes: welcome.value.secrets.map(({ keyPackage }) => heldBy(keyPackage)?.id ?? UNKNOWN),
    };
    return { input: { type: 'commit', userId, facts }, commit, welcome: welcome.value };
  }

  function proposalsOf({ references }: Commit): number[] | undefined {
    // A reference more than there are proposals is wrong already; looking up thousands would be work for nothing.
    if (references.length > proposals.size) return undefined;
    return references.map((reference) => {
      const found = [...proposals].find(([, proposal]) => sameBytes(proposal.reference, reference));
      return found?.[0] ?? UNKNOWN;
    });
  }

  const heldBy = (reference: Uint8Array): Held | undefined =>
    [...keyPackages.values()].find((held) => sameBytes(held.reference, reference));

  function sign({ epoch, proposals: wanted }: Extract<DeliveryEffect, { type: 'propose' }>): void {
    proposals.clear();
    for (const one of wanted) {
      const held = one.kind === 'add' ? keyPackages.get(one.userId) : undefined;
      if (one.kind === 'remove') proposals.set(one.id, sender.remove(epoch, one.leaf));
      else if (held !== undefined) proposals.set(one.id, sender.add(epoch, held.raw));
    }
  }

  const signed = (ids: readonly number[]): SignedProposal[] =>
    ids.map((id) => proposals.get(id)).filter((proposal) => proposal !== undefined);

  /** The message that an effect asks for. */
  function messageOf(effect: Addressed, judged: Judged | undefined): DaveMessage | undefined {
    switch (effect.type) {
      case 'externalSender':
        return { kind: 'binary', op: 25, payload: sender.package };
      case 'append':
        return {
          kind: 'binary',
          op: 27,
          payload: appendPayload(signed(effect.proposals).map(({ message }) => message)),
        };
      case 'revoke':
        return { kind: 'binary', op: 27, payload: revokePayload(signed(effect.proposals).map((one) => one.reference)) };
      case 'prepareEpoch':
        return { kind: 'json', op: 24, d: { protocol_version: effect.version, epoch: effect.epoch } };
      case 'prepareTransition':
        return { kind: 'json', op: 21, d: { protocol_version: effect.version, transition_id: effect.transitionId } };
      case 'execute':
        return { kind: 'json', op: 22, d: { transition_id: effect.transitionId } };
      case 'announce':
        if (judged === undefined) return undefined;
        return { kind: 'binary', op: 29, payload: transitionPayload(effect.transitionId, judged.commit.raw) };
      case 'welcome': {
        const reference = keyPackages.get(effect.to)?.reference;
        const secret = judged?.welcome.secrets.find(({ keyPackage }) => reference && sameBytes(keyPackage, reference));
        if (judged === undefined || secret === undefined) return undefined;
        return {
          kind: 'binary',
          op: 30,
          payload: transitionPayload(effect.transitionId, welcomeOf(judged.welcome, secret)),
        };
      }
    }
  }

  function carryOut(effects: readonly DeliveryEffect[], judged: Judged | undefined): DaveOutput[] {
    const outputs: DaveOutput[] = [];
    for (const effect of effects) {
      if (effect.type === 'count') counters[effect.what] += effect.by;
      else if (effect.type === 'refuse') refuse(effect.reason);
      else if (effect.type === 'propose') sign(effect);
      else {
        const message = messageOf(effect, judged);
        if (message !== undefined) outputs.push({ userId: effect.to, message });
      }
    }
    return outputs;
  }

  /** What the reducer takes of an input, `undefined` when it was refused. */
  function translate(input: DaveServiceInput): { input: DeliveryInput; judged?: Judged } | undefined {
    switch (input.type) {
      case 'keyPackage': {
        const held = holdKeyPackage(input.userId, input.payload);
        return held === undefined ? undefined : { input: held };
      }
      case 'commitWelcome': {
        const judged = readCommit(input.userId, input.payload);
        return judged === undefined ? undefined : { input: judged.input, judged };
      }
      case 'invalidCommitWelcome':
        return { input: { type: 'invalid', userId: input.userId, transitionId: input.transitionId } };
      case 'joined':
        // A voice gateway that lets someone in whose id is no snowflake is a bug; nothing may break here for it.
        return isSnowflake(input.userId) ? { input } : refuse('notMember');
      default:
        return { input };
    }
  }

  return {
    admit(maxVersion) {
      if (rules.policy !== 'require' || areAllCapable(rules, [maxVersion])) return { ok: true };
      return { ok: false, code: 4017, reason: 'E2EE/DAVE protocol required' };
    },
    versionFor(maxVersion) {
      const versions = state.members.map((member) => member.maxVersion);
      return areAllCapable(rules, [...versions, maxVersion]) ? DAVE_VERSION : 0;
    },
    handle(given, now) {
      const translated = translate(given);
      if (translated === undefined) return [];
      const { input, judged } = translated;
      const step = delivery.step(state, { ...input, now, random: 0 });
      state = step.state;
      const outputs = carryOut(step.effects, judged);
      if (state.round === undefined) proposals.clear();
      for (const userId of keyPackages.keys()) if (!isMember(userId)) keyPackages.delete(userId);
      return outputs;
    },
    get deadline() {
      return delivery.deadline(state);
    },
    get counters() {
      return { ...counters, refused: { ...counters.refused } };
    },
    get view(): DaveView {
      const live = inGroup(state);
      const members = state.members.map(({ userId }) => userId);
      return {
        protocolVersion: state.encrypted ? DAVE_VERSION : 0,
        established: state.epoch > 0,
        epoch: BigInt(state.epoch),
        leaves: [...state.leaves],
        members,
        pending: state.encrypted ? members.filter((userId) => !live.includes(userId)) : [],
        transitions: state.transitions.map(({ id }) => id),
      };
    },
  };
}

type Settings = { [K in keyof DaveServiceOptions]-?: Exclude<DaveServiceOptions[K], undefined> };

/** Effects that become a message. */
type Addressed = Extract<DeliveryEffect, { to: string }>;

/** Instead of the id of a proposal or key package that is none of the channel's. */
const UNKNOWN = 0;

const NO_WELCOME = { ok: true, value: { secrets: [], encryptedGroupInfo: new Uint8Array(0) } } as const;

type Counts = { -readonly [K in keyof DaveCounters]: DaveCounters[K] } & { refused: Record<DaveRefusal, number> };

function noCounts(): Counts {
  return {
    keyPackages: 0,
    proposals: 0,
    revocations: 0,
    commits: 0,
    welcomes: 0,
    recoveries: 0,
    resets: 0,
    downgrades: 0,
    upgrades: 0,
    transitions: 0,
    transitionTimeouts: 0,
    commitTimeouts: 0,
    refused: {
      notMember: 0,
      malformed: 0,
      wrongGroup: 0,
      wrongEpoch: 0,
      wrongProposals: 0,
      wrongSender: 0,
      barred: 0,
      forged: 0,
      incompleteWelcome: 0,
      wrongKeyPackage: 0,
    },
  };
}
