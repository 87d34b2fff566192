/**
 * Owns reading `t`, `s` and `op` off the beginning of a dispatch, without parsing its body. Refuses everything that is
 * not plain: the caller then parses the whole frame.
 */

/** The head of a dispatch. */
export interface FrameHead {
  readonly name: string;
  readonly seq: number;
}

/** Longer than any head that Discord sends: names have up to 40 characters. */
export const HEAD_LENGTH = 160;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const ZERO = 0x30;
const NINE = 0x39;
const D = 0x64;
const O = 0x6f;
const P = 0x70;
const S = 0x73;
const T = 0x74;
/** Fifteen digits are exact in a number. */
const MAX_DIGITS = 15;

/**
 * Reads a dispatch's head: `{`, then `t`, `s` and `op` in any order, then `d`. `undefined` when it is anything else:
 * white space, escapes, other keys, another opcode, `d` before one of the three.
 *
 * @param head The first {@link HEAD_LENGTH} characters of the frame's text, or all of it.
 */
export function readHead(head: string): FrameHead | undefined {
  let name: string | undefined;
  let seq: number | undefined;
  let isDispatch = false;
  if (head.charCodeAt(0) !== 0x7b) return undefined;
  for (let at = 1; ; at += 1) {
    // Read by character codes: this runs for every frame, and comparing substrings costs several times as much.
    if (head.charCodeAt(at) !== QUOTE) return undefined;
    const key = head.charCodeAt(at + 1);
    if (key === O) {
      if (head.charCodeAt(at + 2) !== P || !isColonAfterKey(head, at + 3) || head.charCodeAt(at + 5) !== ZERO) {
        return undefined;
      }
      isDispatch = true;
      at += 6;
    } else if (!isColonAfterKey(head, at + 2)) {
      return undefined;
    } else if (key === T) {
      const end = head.charCodeAt(at + 4) === QUOTE ? endOfName(head, at + 5) : undefined;
      if (end === undefined) return undefined;
      name = head.slice(at + 5, end);
      at = end + 1;
    } else if (key === S) {
      const end = endOfNumber(head, at + 4);
      if (end === undefined) return undefined;
      seq = Number(head.slice(at + 4, end));
      at = end;
    } else {
      return key === D && isDispatch && name !== undefined && seq !== undefined ? { name, seq } : undefined;
    }
    if (head.charCodeAt(at) !== COMMA) return undefined;
  }
}

/** Whether a key ends here and its value follows. */
function isColonAfterKey(head: string, at: number): boolean {
  return head.charCodeAt(at) === QUOTE && head.charCodeAt(at + 1) === COLON;
}

/** Where the quote stands that ends a name of capitals, digits and underscores. */
function endOfName(head: string, start: number): number | undefined {
  for (let at = start; at < head.length; at += 1) {
    const unit = head.charCodeAt(at);
    if (unit === QUOTE) return at > start ? at : undefined;
    const plain = (unit >= 0x41 && unit <= 0x5a) || unit === 0x5f || (unit >= ZERO && unit <= NINE);
    if (!plain) return undefined;
  }
  return undefined;
}

/** Where a natural number without leading zeros ends. */
function endOfNumber(head: string, start: number): number | undefined {
  let at = start;
  while (head.charCodeAt(at) >= ZERO && head.charCodeAt(at) <= NINE) at += 1;
  const digits = at - start;
  if (digits === 0 || digits > MAX_DIGITS) return undefined;
  return digits > 1 && head.charCodeAt(start) === ZERO ? undefined : at;
}
