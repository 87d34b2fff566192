/**
 * Owns what the voice gateway writes: external proposals (RFC 9420 sections 6 and 12.1), and the payloads of the binary ops
 * 25, 27, 29 and 30 (DAVE whitepaper, "Voice Gateway Opcodes"). Refuses to sign or hash.
 */
import { ascii, concat, uint, uint64, vector } from './bytes.js';
import { BASIC_CREDENTIAL, ContentType, MLS_VERSION, ProposalType, SenderType, WireFormat } from './constants.js';

/** What is signed, and under which label (RFC 9420 section 5.1.2). */
export const signContent = (label: string, content: Uint8Array): Uint8Array =>
  concat(vector(ascii(`MLS 1.0 ${label}`)), vector(content));

/** What a hash reference is the hash of (RFC 9420 section 5.2). */
export const referenceContent = (label: string, value: Uint8Array): Uint8Array =>
  concat(vector(ascii(`MLS 1.0 ${label} Reference`)), vector(value));

/** A commit's leaf node is signed together with its place (RFC 9420 section 7.2). */
export const placedLeaf = (signedPart: Uint8Array, groupId: Uint8Array, leaf: number): Uint8Array =>
  concat(signedPart, vector(groupId), uint(leaf, 4));

/** The body of an Add proposal. */
export const addProposal = (keyPackage: Uint8Array): Uint8Array => concat(uint(ProposalType.Add, 2), keyPackage);

/** The body of a Remove proposal. */
export const removeProposal = (leaf: number): Uint8Array => concat(uint(ProposalType.Remove, 2), uint(leaf, 4));

/**
 * A proposal of external sender 0, unsigned: version, wire format and FramedContent. It is also what is signed, because
 * content of an external sender is signed without a group context (RFC 9420 section 6.1).
 */
export function framedProposal(groupId: Uint8Array, epoch: bigint, body: Uint8Array): Uint8Array {
  return concat(
    uint(MLS_VERSION, 2),
    uint(WireFormat.PublicMessage, 2),
    vector(groupId),
    uint64(epoch),
    uint(SenderType.External, 1),
    uint(0, 4),
    vector(new Uint8Array(0)), // authenticated_data
    uint(ContentType.Proposal, 1),
    body,
  );
}

/** A signed proposal as MLSMessage. An external sender's message has no tags. */
export const signedProposal = (framed: Uint8Array, signature: Uint8Array): Uint8Array =>
  concat(framed, vector(signature));

/** Its AuthenticatedContent, of which the proposal's reference is the hash: the message without its version. */
export const authenticatedProposal = (message: Uint8Array): Uint8Array => message.subarray(2);

/** Op 25: the key and the credential of the external sender. */
export const externalSenderPayload = (publicKey: Uint8Array, identity: Uint8Array): Uint8Array =>
  concat(vector(publicKey), uint(BASIC_CREDENTIAL, 2), vector(identity));

/** Op 27 with proposals to be kept. */
export const appendPayload = (messages: readonly Uint8Array[]): Uint8Array =>
  concat(uint(0, 1), vector(concat(...messages)));

/** Op 27 with references of proposals to be forgotten. */
export const revokePayload = (references: readonly Uint8Array[]): Uint8Array =>
  concat(uint(1, 1), vector(concat(...references.map(vector))));

/** Ops 29 and 30: a transition and what to process for it. */
export const transitionPayload = (transitionId: number, message: Uint8Array): Uint8Array =>
  concat(uint(transitionId, 2), message);
