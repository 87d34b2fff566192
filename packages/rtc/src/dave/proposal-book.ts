/**
 * Owns the proposals of one session's epoch, so that every commit that is sent is complete. Works around davey 0.1.12, whose
 * commit comes without its Welcome when the last message held no Add but one before it did: the voice gateway could only
 * refuse that. Then all proposals are taken back and given again in one message.
 */
import type { MlsAnswer, MlsSession } from '../codec/dave/mls-session.js';
import { proposalReference } from '../codec/dave/reference.js';
import { type GatewayProposal, parseProposals, toVector } from '../protocol/dave/mls-messages.js';

/** What became of op 27. */
export type ProposalOutcome =
  /** What op 28 is to carry, if anything. */
  | { readonly type: 'taken'; readonly answer: Uint8Array | undefined }
  /** For an epoch that the session has not reached. */
  | { readonly type: 'behind' }
  /** For an epoch that is over: it was under way when a commit was announced. */
  | { readonly type: 'stale' }
  | { readonly type: 'refused'; readonly detail: string };

/** More proposals than a full channel has members. */
const MAX_PROPOSALS = 2_048;

interface Kept {
  readonly kind: GatewayProposal['kind'];
  readonly message: Uint8Array;
  readonly reference: Uint8Array;
}

/** The proposals that a session holds. */
export interface ProposalBook {
  /** There are proposals without a commit. */
  readonly isOpen: boolean;
  /** Takes the payload of op 27. */
  take(session: MlsSession, payload: Uint8Array, users: readonly string[]): ProposalOutcome;
  /** A commit was processed: the epoch has none. */
  clear(): void;
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

const toPayload = ({ commit, welcome }: MlsAnswer): Uint8Array =>
  welcome === undefined ? commit : Buffer.concat([commit, welcome]);

/** Creates a book without proposals. */
export function createProposalBook(): ProposalBook {
  let kept: Kept[] = [];

  /** Gives everything anew, so that davey sees the Adds of the commit in one message. */
  function giveAgain(session: MlsSession, users: readonly string[]): ProposalOutcome {
    const references = kept.map(({ reference }) => toVector([reference]));
    session.takeProposals('revoke', toVector(references), users);
    const given = session.takeProposals('append', toVector(kept.map(({ message }) => message)), users);
    if (!given.ok) return { type: 'refused', detail: given.detail };
    return { type: 'taken', answer: given.answer && toPayload(given.answer) };
  }

  return {
    get isOpen() {
      return kept.length > 0;
    },
    take(session, payload, users) {
      const parsed = parseProposals(payload);
      if (!parsed.ok) return { type: 'refused', detail: 'not a proposals message' };
      const proposals = parsed.value;
      // Without a group there is no epoch: the session refuses, and says why.
      const { epoch } = session;
      if (proposals.type === 'append' && epoch !== undefined) {
        if (proposals.proposals.some((proposal) => proposal.epoch > epoch)) return { type: 'behind' };
        if (proposals.proposals.some((proposal) => proposal.epoch < epoch)) return { type: 'stale' };
      }
      const result = session.takeProposals(proposals.type, payload.subarray(1), users);
      if (!result.ok) return { type: 'refused', detail: result.detail };
      if (proposals.type === 'append') {
        const added = proposals.proposals.map(({ kind, message }) => {
          // A copy: a view would keep the socket's chunk.
          return { kind, message: Uint8Array.from(message), reference: proposalReference(message) };
        });
        kept = [...kept, ...added].slice(-MAX_PROPOSALS);
      } else {
        kept = kept.filter(({ reference }) => !proposals.references.some((revoked) => same(revoked, reference)));
      }
      const { answer } = result;
      if (answer === undefined) return { type: 'taken', answer: undefined };
      const lacksWelcome = answer.welcome === undefined && kept.some(({ kind }) => kind === 'add');
      return lacksWelcome ? giveAgain(session, users) : { type: 'taken', answer: toPayload(answer) };
    },
    clear() {
      kept = [];
    },
  };
}
