/** Owns the numbers of MLS that DAVE version 1 uses (RFC 9420 section 17; DAVE whitepaper, "MLS Parameters"). */

/** The only version of DAVE there is so far. */
export const DAVE_VERSION = 1 as const;

/** mls10. */
export const MLS_VERSION = 1;
/** MLS_128_DHKEMP256_AES128GCM_SHA256_P256. */
export const CIPHERSUITE = 2;
/** CredentialType basic. */
export const BASIC_CREDENTIAL = 1;

export const WireFormat = { PublicMessage: 1, KeyPackage: 5 } as const;
export const SenderType = { Member: 1, External: 2 } as const;
export const ContentType = { Proposal: 2, Commit: 3 } as const;
export const ProposalType = { Add: 1, Remove: 3 } as const;
export const ProposalOrRef = { Proposal: 1, Reference: 2 } as const;
export const LeafNodeSource = { KeyPackage: 1, Update: 2, Commit: 3 } as const;

/** Bytes of an uncompressed point of P-256: its marker, x and y. */
export const POINT_BYTES = 65;
/** The marker of an uncompressed point (SEC 1 section 2.3.3). */
export const UNCOMPRESSED = 4;
/** A hash reference under this ciphersuite: SHA-256. */
export const REFERENCE_BYTES = 32;

/** A key package of Discord's clients has about 400 bytes. */
export const MAX_KEY_PACKAGE_BYTES = 4_096;
/** Commit and welcome of a full stage with a thousand members stay below. */
export const MAX_COMMIT_BYTES = 512 * 1_024;
