/** Owns how text that others wrote is made safe for a log line or a broadcast. Refuses markup: that is the UI's. */

/** C0 and C1 controls, line and paragraph separators, and the bidirectional overrides that reorder a log line. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
/** As {@link UNSAFE}, but tab and line feed stay: a chat message may have lines. */
const UNSAFE_MULTILINE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/**
 * Strips control characters and bounds the length, for one line of a log.
 *
 * @param maxLength In UTF-16 code units; a longer text ends in `…`.
 */
export function toLogText(text: string, maxLength = 200): string {
  // Cut before the replacement, so that a huge input costs no more than its bound.
  const clean = cut(text, maxLength).replace(UNSAFE, '');
  return text.length > maxLength ? `${clean}…` : clean;
}

/** Strips control characters except tab and line feed from what a user wrote, for a broadcast. */
export function toPlainText(text: string): string {
  return text.replace(UNSAFE_MULTILINE, '');
}

function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const last = text.charCodeAt(maxLength - 1);
  // Never half a surrogate pair: some log readers refuse the line.
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, splitsPair ? maxLength - 1 : maxLength);
}
