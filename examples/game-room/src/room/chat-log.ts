/**
 * Owns the messages of a room as a page shows them: what was said before, and what happens to it since. Refuses to guess: an
 * event about a message that is not here changes nothing.
 */
import type { RoomEvent } from '@guildkit/realtime-client';

/** A message as it is shown. */
export interface ShownMessage {
  readonly messageId: string;
  readonly userId: string;
  readonly username: string;
  readonly avatar: string | null;
  readonly content: string;
  /** Unix ms. */
  readonly timestamp: number;
  readonly isEdited?: boolean;
  readonly reactions: readonly { readonly emoji: string; readonly count: number }[];
}

/** How many are kept on a page. */
const KEPT = 200;

/** Oldest first: ids of messages count up with time. */
const inOrder = (a: ShownMessage, b: ShownMessage): number =>
  a.messageId.length - b.messageId.length || (a.messageId < b.messageId ? -1 : Number(a.messageId > b.messageId));

/** Puts what was said before under what came since. What came by an event is newer than what was loaded. */
export function withHistory(log: readonly ShownMessage[], history: readonly ShownMessage[]): readonly ShownMessage[] {
  const known = new Set(log.map(({ messageId }) => messageId));
  return [...history.filter(({ messageId }) => !known.has(messageId)), ...log].sort(inOrder).slice(-KEPT);
}

/** The messages after an event. The same list when it is about something else. */
export function afterEvent(log: readonly ShownMessage[], { event, payload }: RoomEvent): readonly ShownMessage[] {
  switch (event) {
    case 'message.created': {
      if (log.some(({ messageId }) => messageId === payload.messageId)) return log;
      const { messageId, userId, username, avatar, content, timestamp } = payload;
      const message = { messageId, userId, username, avatar, content, timestamp, reactions: [] };
      return [...log, message].sort(inOrder).slice(-KEPT);
    }
    case 'message.updated':
      return log.map((message) =>
        message.messageId === payload.messageId && message.content !== payload.content
          ? { ...message, content: payload.content, isEdited: true }
          : message,
      );
    case 'message.deleted':
      return log.filter(({ messageId }) => messageId !== payload.messageId);
    case 'reaction.added':
    case 'reaction.removed':
      return log.map((message) =>
        message.messageId === payload.messageId
          ? { ...message, reactions: counted(message.reactions, payload.emoji, event === 'reaction.added' ? 1 : -1) }
          : message,
      );
    default:
      return log;
  }
}

function counted(reactions: ShownMessage['reactions'], emoji: string, by: 1 | -1): ShownMessage['reactions'] {
  const known = reactions.some((reaction) => reaction.emoji === emoji);
  const all = known || by < 0 ? reactions : [...reactions, { emoji, count: 0 }];
  return all
    .map((reaction) => (reaction.emoji === emoji ? { emoji, count: reaction.count + by } : reaction))
    .filter(({ count }) => count > 0);
}
