/** Owns how text that others wrote is made safe for a log line or a broadcast. Refuses markup: that is the UI's. */

/**
 * C0 and C1 controls, line and paragraph separators, the bidirectional overrides that reorder a log line, and lone
 * halves of surrogate pairs, which some log readers refuse.
 */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\p{Surrogate}]/gu;
/** As {@link UNSAFE}, but tab and line feed stay: a chat message may have lines. */
const UNSAFE_MULTILINE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\p{Surrogate}]/gu;

/**
 * Strips control characters and bounds the length, for one line of a log.
 *
 * @param maxLength In UTF-16 code units; a longer text ends in `…`.
 */
export function toLogText(text: string, maxLength = 200): string {
  // Cut before the replacement, so that a huge input costs no more than its bound. A pair that the cut splits leaves a
  // lone half, which is stripped.
  const clean = text.slice(0, maxLength).replace(UNSAFE, '');
  return text.length > maxLength ? `${clean}…` : clean;
}

/** Strips control characters except tab and line feed from what a user wrote, for a broadcast. */
export function toPlainText(text: string): string {
  return text.replace(UNSAFE_MULTILINE, '');
}
