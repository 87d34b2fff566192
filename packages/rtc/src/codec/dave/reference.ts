/** Owns the name by which commits and revocations call a proposal: its hash (RFC 9420 section 5.2). */
import { createHash } from 'node:crypto';
import { toVector } from '../../protocol/dave/mls-messages.js';

const LABEL = toVector([Buffer.from('MLS 1.0 Proposal Reference')]);

/** The reference of a proposal, given as MLSMessage: of all but its version (RFC 9420 section 12.4). */
export const proposalReference = (message: Uint8Array): Uint8Array =>
  createHash('sha256')
    .update(LABEL)
    .update(toVector([message.subarray(2)]))
    .digest();
