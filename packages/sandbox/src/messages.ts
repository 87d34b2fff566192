/** Owns messages as a test or demo sees them. */
import type { Message, World } from './protocol/world/types.js';

/** A message. */
export interface SandboxMessage {
  /** Its id. */
  readonly id: string;
  /** Where it is. */
  readonly channelId: string;
  /** Who wrote it: a user's id, or a webhook's. */
  readonly authorId: string;
  /** Their user name, or the name a webhook took. */
  readonly authorName: string;
  /** Its text. */
  readonly content: string;
  /** ISO 8601. */
  readonly timestamp: string;
  /** ISO 8601, `null` when it was not edited. */
  readonly editedTimestamp: string | null;
  /** The message it answers. */
  readonly replyToId: string | null;
  /** Its files. */
  readonly attachments: readonly { readonly filename: string; readonly size: number }[];
  /** Who reacted with what, in order. */
  readonly reactions: readonly { readonly emoji: string; readonly userIds: readonly string[] }[];
}

/** A message to send. */
export interface MessageInput {
  /** 1 to 2,000 characters. */
  readonly content: string;
  /** Id of the message that it answers. */
  readonly replyTo?: string | undefined;
}

/** Shows a message. The view does not change with it. */
export function showMessage(world: World, message: Message): SandboxMessage {
  return {
    id: message.id,
    channelId: message.channelId,
    authorId: message.authorId,
    authorName: message.webhook?.name ?? world.users.get(message.authorId)?.username ?? '',
    content: message.content,
    timestamp: message.timestamp,
    editedTimestamp: message.editedTimestamp,
    replyToId: message.referenceId,
    attachments: message.attachments.map(({ filename, size }) => ({ filename, size })),
    reactions: message.reactions.map(({ emoji, userIds }) => ({ emoji, userIds: [...userIds] })),
  };
}

/** A channel's messages, oldest first. */
export const showMessages = (world: World, messages: ReadonlyMap<string, Message>): readonly SandboxMessage[] =>
  [...messages.values()].map((message) => showMessage(world, message));
