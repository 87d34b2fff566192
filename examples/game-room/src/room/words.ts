/** Owns small pieces of wording: initials, times, counts. */

// Made once: a formatter takes longer to make than the line that it is for takes to draw.
const TIME_OF_DAY = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hour12: false });
const DAY_AND_TIME = new Intl.DateTimeFormat('en', {
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
});

/** One or two letters for an avatar. */
export function initialsOf(name: string): string {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) => [...(word ?? '')][0] ?? '');
  return letters.join('').toLocaleUpperCase('en') || '?';
}

/** Which of the avatar colours a person has: the same on every page. */
export function toneOf(id: string, tones: number): number {
  let hash = 0;
  for (const char of id) hash = (hash * 31 + char.charCodeAt(0)) >>> 0;
  return hash % tones;
}

/** Time since then, in words: `just now`, `3 min`, `2 h`. */
export function elapsed(since: number, now: number): string {
  const minutes = Math.floor(Math.max(0, now - since) / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${minutes} min ago`;
  return `${Math.floor(minutes / 60)} h ago`;
}

/** `18:05`. */
export function timeOfDay(at: number | Date): string {
  return TIME_OF_DAY.format(at);
}

/** `11/20/2026, 6:05:09 PM`. */
export function dayAndTime(at: number | Date): string {
  return DAY_AND_TIME.format(at);
}

/** `Nobody`, `1 person`, `2 people`. */
export function countPeople(count: number): string {
  return count === 0 ? 'Nobody' : count === 1 ? '1 person' : `${count} people`;
}
