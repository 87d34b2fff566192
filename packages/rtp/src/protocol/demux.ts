/** Owns telling RTP from RTCP on one port (RFC 5761 section 4, RFC 7983 section 7). Looks at two bytes, checks no more. */

/** First bytes of version 2: binary 10xxxxxx. */
const isVersion2 = (first: number): boolean => first >> 6 === 2;

/**
 * What a datagram looks like, encrypted or not: the two bytes that tell are clear in every cipher mode. `undefined` for
 * what is neither, such as Discord's IP discovery and keepalives.
 */
export function demux(bytes: Uint8Array): 'rtp' | 'rtcp' | undefined {
  if (bytes.length < 2 || !isVersion2(bytes[0] as number)) return undefined;
  return looksLikeRtcp(bytes) ? 'rtcp' : 'rtp';
}

/** RTCP packet types 192 to 223; as RTP they would be the payload types 64 to 95, which RFC 5761 rules out. */
export function looksLikeRtcp(bytes: Uint8Array): boolean {
  const second = bytes[1] as number;
  return second >= 192 && second <= 223;
}
