/** Owns small pieces of wording: initials, elapsed time, counts. */

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

/** `Nobody`, `1 person`, `2 people`. */
export function countPeople(count: number): string {
  return count === 0 ? 'Nobody' : count === 1 ? '1 person' : `${count} people`;
}
