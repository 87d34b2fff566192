/** Owns the names by which messages call proposals and key packages: their hashes (RFC 9420 section 5.2). */
import { createHash } from 'node:crypto';
import { toVector } from '../../protocol/dave/mls-messages.js';

const PROPOSAL = toVector([Buffer.from('MLS 1.0 Proposal Reference')]);
const KEY_PACKAGE = toVector([Buffer.from('MLS 1.0 KeyPackage Reference')]);

const reference = (label: Uint8Array, value: Uint8Array): Uint8Array =>
  createHash('sha256')
    .update(label)
    .update(toVector([value]))
    .digest();

/** The reference of a proposal, given as MLSMessage: of all but its version (RFC 9420 section 12.4). */
export const proposalReference = (message: Uint8Array): Uint8Array => reference(PROPOSAL, message.subarray(2));

/** The reference of a key package. */
export const keyPackageReference = (keyPackage: Uint8Array): Uint8Array => reference(KEY_PACKAGE, keyPackage);
