/**
 * Owns what changed between two lists of a room. Lists, not events: after a recovery the list arrives whole, and
 * what it changed is told all the same, each change once.
 */
import type { VoiceRoomMember } from '@guildkit/core/wire';

/** One thing that happened in a room. */
export interface MemberChange {
  readonly kind: 'joined' | 'left';
  readonly userId: string;
  readonly username: string;
}

export function memberChanges(before: readonly VoiceRoomMember[], after: readonly VoiceRoomMember[]): MemberChange[] {
  const had = new Set(before.map((member) => member.userId));
  const has = new Set(after.map((member) => member.userId));
  const change =
    (kind: MemberChange['kind']) =>
    ({ userId, username }: VoiceRoomMember) => ({ kind, userId, username });
  return [
    ...before.filter((member) => !has.has(member.userId)).map(change('left')),
    ...after.filter((member) => !had.has(member.userId)).map(change('joined')),
  ];
}

/** Discord does not tell whether somebody left or was removed. */
export function describeChange({ kind, username }: MemberChange): string {
  return kind === 'joined' ? `${username} joined` : `${username} left or was removed`;
}
