/**
 * Owns what the voice gateway can check of a member's keys (DAVE whitepaper, "Key Packages: Validation", "Voice Gateway Commit
 * Validity"). Refuses what only members can: a commit's own signature covers the group's secrets-bound context.
 */
import { sameBytes, uint64 } from '../../protocol/dave/bytes.js';
import type { Commit } from '../../protocol/dave/commit.js';
import { LeafNodeSource } from '../../protocol/dave/constants.js';
import type { KeyPackage, LeafNode } from '../../protocol/dave/key-package.js';
import { placedLeaf, referenceContent, signContent } from '../../protocol/dave/messages.js';
import { isOnCurve, isSignedBy, sha256 } from './p256.js';

/** `not_after` of a lifetime that never ends. */
const FOR_EVER = 2n ** 64n - 1n;

const isLeafSigned = (leaf: LeafNode, signed: Uint8Array): boolean =>
  isSignedBy(leaf.signatureKey, signContent('LeafNodeTBS', signed), leaf.signature);

/** What is wrong with a user's key package. */
export function checkKeyPackage(
  { leaf, initKey, signedPart, signature }: KeyPackage,
  userId: string,
): 'wrongKeyPackage' | 'forged' | undefined {
  const { lifetime, identity, source, encryptionKey, signatureKey, hasExtensions } = leaf;
  const isTheirs = sameBytes(identity, uint64(BigInt(userId)));
  const isForEver = lifetime?.notBefore === 0n && lifetime.notAfter === FOR_EVER;
  if (!isTheirs || !isForEver || source !== LeafNodeSource.KeyPackage || hasExtensions) return 'wrongKeyPackage';
  // RFC 9420 section 10.1. A point that is none would stop whoever commits the Add.
  if (sameBytes(initKey, encryptionKey) || !isOnCurve(initKey) || !isOnCurve(encryptionKey)) return 'wrongKeyPackage';
  const isSigned = isSignedBy(signatureKey, signContent('KeyPackageTBS', signedPart), signature);
  return isSigned && isLeafSigned(leaf, leaf.signedPart) ? undefined : 'forged';
}

/** What a Welcome calls a key package. */
export const keyPackageReference = (keyPackage: KeyPackage): Uint8Array =>
  sha256(referenceContent('KeyPackage', keyPackage.raw));

/**
 * What is wrong with the new leaf that a commit gives its committer: it must be signed, for its place, with the key that the
 * member has in the group, and keep identity and key.
 */
export function checkCommitLeaf(commit: Commit, signatureKey: Uint8Array, userId: string): 'forged' | undefined {
  const { leaf, groupId, sender } = commit;
  if (leaf === undefined) return undefined;
  const isSame = sameBytes(leaf.signatureKey, signatureKey) && sameBytes(leaf.identity, uint64(BigInt(userId)));
  return isSame && isLeafSigned(leaf, placedLeaf(leaf.signedPart, groupId, sender)) ? undefined : 'forged';
}
