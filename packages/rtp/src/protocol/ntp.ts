/** Owns NTP times of sender reports (RFC 3550 section 4): 32 bits of seconds since 1900, 32 bits of fraction. */

/** Seconds from 1900 to 1970. */
const EPOCH_SECONDS = 2_208_988_800n;
const ERA = 1n << 64n;

/** The NTP time of a Unix time in ms, fractions of a millisecond included. */
export function ntpFromUnixMs(unixMs: number): bigint {
  const whole = Math.floor(unixMs);
  // Fractions apart: 64 bits do not fit a number.
  const fraction = BigInt(Math.round((unixMs - whole) * 2 ** 32)) / 1_000n;
  const ms = BigInt(whole) + EPOCH_SECONDS * 1_000n;
  return ((ms << 32n) / 1_000n + fraction) % ERA;
}

/** The Unix time in ms of an NTP time of the era that ends in 2036. */
export const unixMsFromNtp = (ntpTime: bigint): number => Number(ntpTime - (EPOCH_SECONDS << 32n)) * (1_000 / 2 ** 32);

/** The middle 32 bits: what `lastSenderReport` and the delays of report blocks count in, 1/65,536 s. */
export const middleNtp = (ntpTime: bigint): number => Number((ntpTime >> 16n) & 0xffff_ffffn);
