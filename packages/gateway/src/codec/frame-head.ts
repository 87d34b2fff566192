/**
 * Owns reading `t`, `s` and `op` off the beginning of a dispatch, without parsing its body. Refuses everything that is
 * not plain: the caller then parses the whole frame.
 */
import type { DispatchFilter } from '../protocol/frames.js';

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

/** A name and its bytes. */
interface KnownName {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Names met lately, at a place that follows from their characters: a name is made a string once, not for each frame. */
const NAMES: (KnownName | undefined)[] = Array.from({ length: 1_024 });

/**
 * Reads the head of a dispatch that nobody wants: `{`, then `t`, `s` and `op` in any order, then `d`. `undefined` when it
 * is wanted, and when it is anything else: white space, escapes, other keys, another opcode, `d` before one of the three.
 *
 * @param data The frame's text, or its UTF-8.
 * @param isKept Names that are always wanted.
 */
export function readHead(
  data: string | Uint8Array,
  filter: Pick<DispatchFilter, 'wants'>,
  isKept: (name: string) => boolean = () => false,
): FrameHead | undefined {
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
      name = nameAt(head, at + 5);
      if (name === undefined || isKept(name) || filter.wants(name)) return undefined;
      at += name.length + 6;
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

/** The name that ends at the next quote; `undefined` when it is none of capitals, digits and underscores. */
function nameAt(head: Uint8Array, start: number): string | undefined {
  let end = start;
  while (head[end] !== QUOTE) {
    if (end >= head.length || end - start > HEAD_LENGTH) return undefined;
    end += 1;
  }
  const place = placeOf(head, start, end);
  const known = NAMES[place];
  if (known !== undefined && isNameAt(head, start, end, known.bytes)) return known.name;
  const bytes = Uint8Array.from(head.subarray(start, end));
  if (bytes.length === 0 || !bytes.every(isOfName)) return undefined;
  const name = String.fromCharCode(...bytes);
  NAMES[place] = { name, bytes };
  return name;
}

/** Of the length and three characters: no two of Discord's names have the same place. */
function placeOf(head: Uint8Array, start: number, end: number): number {
  const early = head[start + 4] as number;
  const inner = head[(start + end) >> 1] as number;
  const late = head[end - 4] as number;
  return (((early * 33 + inner) * 33 + late) * 33 + end - start) & (NAMES.length - 1);
}

function isOfName(unit: number): boolean {
  return (unit >= A && unit <= Z) || unit === UNDERSCORE || isDigit(unit);
}

function isNameAt(head: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  if (name.length !== end - start) return false;
  for (let at = start; at < end; at += 1) if (head[at] !== name[at - start]) return false;
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
