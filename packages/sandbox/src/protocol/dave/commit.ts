/**
 * Owns what op 28 carries: a commit as MLSMessage(PublicMessage), and behind it the bare Welcome when it adds someone
 * (RFC 9420 sections 6, 12.4; DAVE whitepaper, op 28). Refuses to judge whether the commit is the one that is wanted.
 */
import { concat, createReader, type MlsParsed, type MlsReader, uint, vector } from './bytes.js';
import {
  CIPHERSUITE,
  ContentType,
  LeafNodeSource,
  MAX_COMMIT_BYTES,
  MLS_VERSION,
  ProposalOrRef,
  REFERENCE_BYTES,
  SenderType,
  WireFormat,
} from './constants.js';
import { type LeafNode, readLeafNode } from './key-package.js';

/** A commit. Views of the message. */
export interface Commit {
  readonly groupId: Uint8Array;
  readonly epoch: bigint;
  /** The committer's leaf. */
  readonly sender: number;
  /** References of the proposals, in their order. */
  readonly references: readonly Uint8Array[];
  /** It holds a proposal itself, which DAVE forbids; what follows was not looked at. */
  readonly hasInlineProposal: boolean;
  /** The committer's new leaf, if the commit has a path. */
  readonly leaf: LeafNode | undefined;
  /** The commit alone: what op 29 carries. */
  readonly raw: Uint8Array;
  /** The bytes behind it. */
  readonly rest: Uint8Array;
}

/** One member's part of a Welcome. */
export interface WelcomeSecret {
  /** Reference of the key package it is encrypted for. */
  readonly keyPackage: Uint8Array;
  readonly raw: Uint8Array;
}

/** A Welcome. Views of the message. */
export interface Welcome {
  readonly secrets: readonly WelcomeSecret[];
  readonly encryptedGroupInfo: Uint8Array;
}

/** HPKECiphertext (RFC 9420 section 6.2). */
function skipCiphertext(reader: MlsReader): void {
  reader.vector();
  reader.vector();
}

function readPath(reader: MlsReader): LeafNode {
  const leaf = readLeafNode(reader);
  reader.require(leaf.source === LeafNodeSource.Commit);
  const nodes = createReader(reader.vector());
  while (nodes.more()) {
    nodes.vector();
    const secrets = createReader(nodes.vector());
    while (secrets.more()) skipCiphertext(secrets);
    if (secrets.problem !== undefined) nodes.refuse(secrets.problem);
  }
  if (nodes.problem !== undefined) reader.refuse(nodes.problem);
  return leaf;
}

/** Parses one commit; what comes behind it is its `rest`. */
export function parseCommit(payload: Uint8Array): MlsParsed<Commit> {
  if (payload.length > MAX_COMMIT_BYTES) return { ok: false, reason: 'oversized' };
  const reader = createReader(payload);
  reader.require(reader.u16() === MLS_VERSION);
  reader.require(reader.u16() === WireFormat.PublicMessage);
  const groupId = reader.vector();
  const epoch = reader.u64();
  reader.require(reader.u8() === SenderType.Member);
  const sender = reader.u32();
  reader.vector(); // authenticated_data
  reader.require(reader.u8() === ContentType.Commit);
  const proposals = createReader(reader.vector());
  const references: Uint8Array[] = [];
  let hasInlineProposal = false;
  while (proposals.more() && !hasInlineProposal) {
    const kind = proposals.u8();
    if (kind === ProposalOrRef.Reference) {
      const reference = proposals.vector();
      proposals.require(reference.length === REFERENCE_BYTES);
      references.push(reference);
    } else if (kind === ProposalOrRef.Proposal) hasInlineProposal = true;
    else proposals.refuse('value');
  }
  if (proposals.problem !== undefined) reader.refuse(proposals.problem);
  const hasPath = reader.u8();
  reader.require(hasPath <= 1);
  const leaf = hasPath === 1 ? readPath(reader) : undefined;
  reader.vector(); // signature
  reader.vector(); // confirmation_tag
  reader.vector(); // membership_tag
  const raw = reader.since(0);
  const rest = reader.rest();
  return reader.done({ groupId, epoch, sender, references, hasInlineProposal, leaf, raw, rest });
}

/** Parses a bare Welcome. */
export function parseWelcome(payload: Uint8Array): MlsParsed<Welcome> {
  if (payload.length > MAX_COMMIT_BYTES) return { ok: false, reason: 'oversized' };
  const reader = createReader(payload);
  reader.require(reader.u16() === CIPHERSUITE);
  const list = createReader(reader.vector());
  const secrets: WelcomeSecret[] = [];
  while (list.more()) {
    const from = list.at;
    const keyPackage = list.vector();
    list.require(keyPackage.length === REFERENCE_BYTES);
    skipCiphertext(list);
    secrets.push({ keyPackage, raw: list.since(from) });
  }
  if (list.problem !== undefined) reader.refuse(list.problem);
  const encryptedGroupInfo = reader.vector();
  return reader.done({ secrets, encryptedGroupInfo });
}

/** The Welcome that one member gets: with its own secret alone (DAVE whitepaper, op 30). */
export function welcomeOf(welcome: Welcome, secret: WelcomeSecret): Uint8Array {
  return concat(uint(CIPHERSUITE, 2), vector(secret.raw), vector(welcome.encryptedGroupInfo));
}
