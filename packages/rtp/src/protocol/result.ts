/** Owns how a parser of hostile bytes answers: a value or a reason, never an exception. */

/**
 * Why bytes are no packet.
 *
 * - `truncated`: they end before what their header announces.
 * - `version`: not RTP version 2.
 * - `kind`: RTCP given to the RTP parser, or the reverse (RFC 5761 section 4).
 * - `padding`: the padding count is 0 or larger than the packet.
 * - `length`: a length field contradicts the content.
 * - `forged`: the authentication tag does not fit: another key, or changed on the way.
 * - `oversized`: larger than a datagram can be.
 */
export type PacketProblem = 'truncated' | 'version' | 'kind' | 'padding' | 'length' | 'forged' | 'oversized';

/** Bytes that were refused. */
export interface PacketFailure {
  readonly ok: false;
  readonly reason: PacketProblem;
}

/** What a parser returns. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | PacketFailure;

/** One object per reason: refusing a flood allocates nothing. */
const FAILURES = Object.fromEntries(
  (['truncated', 'version', 'kind', 'padding', 'length', 'forged', 'oversized'] as const).map((reason) => [
    reason,
    Object.freeze({ ok: false, reason }),
  ]),
) as Readonly<Record<PacketProblem, PacketFailure>>;

/** The failure of that reason. */
export const failure = (reason: PacketProblem): PacketFailure => FAILURES[reason];
