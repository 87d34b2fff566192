/** Owns ids that follow from a session and its sequence, so that the same event delivered twice carries the same ids. */

/**
 * A short name for a session that does not give its id away: with the bot's token that id would allow a resume,
 * and event ids reach browsers. 53 bits of cyrb53, enough that no two sessions of a bot share it.
 */
export function sessionTag(sessionId: string): string {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let index = 0; index < sessionId.length; index += 1) {
    const unit = sessionId.charCodeAt(index);
    a = Math.imul(a ^ unit, 2_654_435_761);
    b = Math.imul(b ^ unit, 1_597_334_677);
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909);
  return (4_294_967_296 * (2_097_151 & b) + (a >>> 0)).toString(36).padStart(11, '0');
}

/** Trace id of a dispatch. */
export function traceIdOf(tag: string, seq: number): string {
  return `${tag}-${decimal(seq)}`;
}

/**
 * Trace id of what a resume brings beside the replayed events. Whether RESUMED has a number of its own is not
 * documented: it must not be mistaken for the event before it.
 */
export function resumeTraceIdOf(tag: string, seq: number): string {
  return `${traceIdOf(tag, seq)}-resumed`;
}

/** Id of the n-th domain event that came of a dispatch. */
export function eventIdOf(traceId: string, index: number): string {
  return `${traceId}-${index}`;
}

const PLAIN = Array.from({ length: 1_000 }, (_, n) => String(n));
const PADDED = PLAIN.map((digits) => digits.padStart(3, '0'));

/** The last thousand and its digits: numbers come one after the other. */
let thousand = 0;
let thousandDigits = '';

/**
 * As `String`, for natural numbers. V8 keeps the strings that `String` makes of numbers in a cache that outlives them: one
 * for each dispatch made every young collection ten times as long.
 */
function decimal(natural: number): string {
  if (natural < 1_000) return PLAIN[natural] ?? String(natural);
  const thousands = Math.floor(natural / 1_000);
  if (thousands !== thousand) {
    thousandDigits = String(thousands);
    thousand = thousands;
  }
  return thousandDigits + PADDED[natural % 1_000];
}
