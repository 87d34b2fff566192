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
const HEAD_LENGTH = 160;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const ZERO = 0x30;
const NINE = 0x39;
const A = 0x41;
const Z = 0x5a;
const UNDERSCORE = 0x5f;
const D = 0x64;
const O = 0x6f;
const P = 0x70;
const S = 0x73;
const T = 0x74;
const BRACE = 0x7b;
/** Stands for every character beyond ASCII. */
const OTHER = 0xff;
/** Fifteen digits are exact in a number. */
const MAX_DIGITS = 15;

/** Names met lately, at a place that follows from their characters: a name is made a string once, not for each frame. */
const NAMES: (string | undefined)[] = Array.from({ length: 256 });

/**
 * Reads a dispatch's head: `{`, then `t`, `s` and `op` in any order, then `d`. `undefined` when it is anything else:
 * white space, escapes, other keys, another opcode, `d` before one of the three.
 *
 * @param data The frame's text, or its UTF-8.
 */
export function readHead(data: string | Uint8Array): FrameHead | undefined {
  // Read byte by byte: this runs for every frame, and making strings of the parts costs several times as much.
  const head = typeof data === 'string' ? bytesOf(data) : data;
  let name: string | undefined;
  let seq = -1;
  let isDispatch = false;
  if (head[0] !== BRACE) return undefined;
  for (let at = 1; ; at += 1) {
    if (head[at] !== QUOTE) return undefined;
    const key = head[at + 1];
    if (key === O) {
      if (head[at + 2] !== P || !isColonAfterKey(head, at + 3) || head[at + 5] !== ZERO) return undefined;
      isDispatch = true;
      at += 6;
    } else if (!isColonAfterKey(head, at + 2)) {
      return undefined;
    } else if (key === T) {
      if (head[at + 4] !== QUOTE) return undefined;
      const end = endOfName(head, at + 5);
      if (end === at + 5) return undefined;
      name = nameAt(head, at + 5, end);
      at = end + 1;
    } else if (key === S) {
      const start = at + 4;
      const end = endOfNumber(head, start);
      if (end === start) return undefined;
      seq = 0;
      for (at = start; at < end; at += 1) seq = seq * 10 + (head[at] as number) - ZERO;
    } else {
      return key === D && isDispatch && name !== undefined && seq >= 0 ? { name, seq } : undefined;
    }
    if (head[at] !== COMMA) return undefined;
  }
}

/** A head is ASCII: what is not cannot be one. */
function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.min(text.length, HEAD_LENGTH));
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = Math.min(text.charCodeAt(at), OTHER);
  return bytes;
}

/** Whether a key ends here and its value follows. */
function isColonAfterKey(head: Uint8Array, at: number): boolean {
  return head[at] === QUOTE && head[at + 1] === COLON;
}

/** Where the quote stands that ends a name of capitals, digits and underscores; `start` when there is no such name. */
function endOfName(head: Uint8Array, start: number): number {
  const limit = Math.min(head.length, start + HEAD_LENGTH);
  for (let at = start; at < limit; at += 1) {
    const unit = head[at] as number;
    if (unit === QUOTE) return at;
    const plain = (unit >= A && unit <= Z) || unit === UNDERSCORE || (unit >= ZERO && unit <= NINE);
    if (!plain) return start;
  }
  return start;
}

function nameAt(head: Uint8Array, start: number, end: number): string {
  let hash = 0;
  for (let at = start; at < end; at += 1) hash = (Math.imul(hash, 31) + (head[at] as number)) | 0;
  const place = hash & 0xff;
  const known = NAMES[place];
  if (known !== undefined && isNameAt(head, start, end, known)) return known;
  const name = String.fromCharCode(...head.subarray(start, end));
  NAMES[place] = name;
  return name;
}

function isNameAt(head: Uint8Array, start: number, end: number, name: string): boolean {
  if (name.length !== end - start) return false;
  for (let at = start; at < end; at += 1) if (head[at] !== name.charCodeAt(at - start)) return false;
  return true;
}

/** Where a natural number without leading zeros ends; `start` when there is none, or none that is exact. */
function endOfNumber(head: Uint8Array, start: number): number {
  let end = start;
  while (isDigit(head[end])) end += 1;
  const digits = end - start;
  if (digits > MAX_DIGITS || (digits > 1 && head[start] === ZERO)) return start;
  return end;
}

function isDigit(unit: number | undefined): boolean {
  return unit !== undefined && unit >= ZERO && unit <= NINE;
}
