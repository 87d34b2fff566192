/** Owns the voice gateway's identity in MLS groups: the external sender that signs proposals (RFC 9420 section 12.1.8). */
import { uint64 } from '../../protocol/dave/bytes.js';
import {
  addProposal,
  authenticatedProposal,
  externalSenderPayload,
  framedProposal,
  referenceContent,
  removeProposal,
  signContent,
  signedProposal,
} from '../../protocol/dave/messages.js';
import { createSigner, sha256 } from './p256.js';

/** A proposal as it is sent, and what commits call it. */
export interface SignedProposal {
  readonly message: Uint8Array;
  readonly reference: Uint8Array;
}

/** The external sender of one channel. */
export interface ExternalSender {
  /** What op 25 carries. */
  readonly package: Uint8Array;
  add(epoch: number, keyPackage: Uint8Array): SignedProposal;
  remove(epoch: number, leaf: number): SignedProposal;
}

/** Its identity is nobody's user id; what it is does not matter as long as it stays the same. */
const IDENTITY = uint64(1n);

/** Creates the external sender of a group. */
export function createExternalSender(groupId: Uint8Array): ExternalSender {
  const signer = createSigner();

  function propose(epoch: number, body: Uint8Array): SignedProposal {
    const framed = framedProposal(groupId, BigInt(epoch), body);
    const message = signedProposal(framed, signer.sign(signContent('FramedContentTBS', framed)));
    return { message, reference: sha256(referenceContent('Proposal', authenticatedProposal(message))) };
  }

  return {
    package: externalSenderPayload(signer.publicKey, IDENTITY),
    add: (epoch, keyPackage) => propose(epoch, addProposal(keyPackage)),
    remove: (epoch, leaf) => propose(epoch, removeProposal(leaf)),
  };
}
