/**
 * Owns whose words a message is. Discord knows one author, the app's bot; so each message of a player begins with a mention
 * of them, which pings nobody, and is shown in the app as theirs. Holds over restarts: it stands in Discord itself.
 */
import type { DiscordPerson, DomainEvent } from '@guildkit/core';
import { type Notes, noNotes } from './notes.js';
import type { People } from './people.js';

/** A message as a page shows it. */
export interface ChatMessage extends DiscordPerson {
  readonly messageId: string;
  readonly content: string;
  /** Unix ms. */
  readonly timestamp: number;
  readonly reactions: readonly { readonly emoji: string; readonly count: number }[];
}

/** A message as Discord's HTTP API gives it, as far as it is read. */
export interface ApiMessage {
  readonly id: string;
  readonly content: string;
  readonly timestamp: string;
  readonly author: { readonly id: string; readonly username: string; readonly avatar?: string | null };
  readonly reactions?: readonly {
    readonly count: number;
    readonly emoji: { readonly id?: string | null; readonly name?: string | null };
  }[];
}

/** Turns players' words into the bot's messages, and back. */
export interface Chat {
  /** What the bot sends for a player. */
  outgoing(userId: string, text: string): string;
  /** Looks up what {@link incoming} needs of other processes: who a player is, for whom the bot types. */
  prepare(event: DomainEvent): Promise<void>;
  /** An event with the player in the place of the bot, where it is a player's. */
  incoming(event: DomainEvent): DomainEvent;
  fromApi(message: ApiMessage): ChatMessage;
  /** Whether a message is that player's. `undefined`: it is not known here. */
  isBy(userId: string, messageId: string): boolean | undefined;
  /** The bot will be seen to type, or to react, for that player. Resolves when every process can know. */
  expect(what: 'typing' | 'reaction', where: string, userId: string): Promise<void>;
}

const SIGNED = /^<@([0-9]{1,20})> ([\s\S]*)$/;
/** How many messages are remembered as somebody's. */
const MAX_MESSAGES = 5_000;
const MAX_EXPECTED = 1_000;
/** How long Discord may take to show that the bot types or reacts. */
const EXPECTED_MS = 60_000;

/** @param botUserId Asked at each use: it is known once the gateway is. */
export function createChat(people: People, botUserId: () => string | undefined, notes: Notes = noNotes): Chat {
  const authors = new Map<string, string>();
  const expected = new Map<string, string>();

  const keep = (map: Map<string, string>, key: string, value: string, max: number): void => {
    map.delete(key);
    map.set(key, value);
    const [oldest] = map.keys();
    if (map.size > max && oldest !== undefined) map.delete(oldest);
  };

  /** Where the bot does something for somebody. */
  function placeOf(event: DomainEvent): string | undefined {
    if (event.event === 'typing.started') return `typing ${event.payload.channelId}`;
    if (event.event === 'reaction.added') return `reaction ${event.payload.messageId} ${event.payload.emoji}`;
    return undefined;
  }

  /** Who said it, and what. */
  function authorOf(messageId: string, author: DiscordPerson, content: string): DiscordPerson & { content: string } {
    const [, userId, text = ''] = (author.userId === botUserId() && SIGNED.exec(content)) || [];
    keep(authors, messageId, userId ?? author.userId, MAX_MESSAGES);
    if (userId === undefined) return { ...author, content };
    const { username, avatar } = people.get(userId) ?? { username: 'A player', avatar: null };
    return { userId, username, avatar, content: text };
  }

  return {
    outgoing: (userId, text) => `<@${userId}> ${text}`,
    async prepare(event) {
      if (!('userId' in event.payload) || event.payload.userId !== botUserId()) return;
      if (event.event === 'message.created' || event.event === 'message.updated') {
        const [, userId] = SIGNED.exec(event.payload.content) ?? [];
        if (userId !== undefined) await people.find(userId);
        return;
      }
      const place = placeOf(event);
      const userId = place === undefined ? undefined : await notes.get(place);
      if (place !== undefined && userId !== undefined) keep(expected, place, userId, MAX_EXPECTED);
    },
    incoming(event) {
      switch (event.event) {
        case 'message.created':
        case 'message.updated': {
          const { messageId, userId, username, avatar, content } = event.payload;
          const said = authorOf(messageId, { userId, username, avatar }, content);
          return { ...event, payload: { ...event.payload, ...said } } as DomainEvent;
        }
        case 'typing.started':
        case 'reaction.added': {
          if (event.payload.userId !== botUserId()) return event;
          const userId = expected.get(placeOf(event) ?? '');
          if (userId === undefined) return event;
          return { ...event, payload: { ...event.payload, userId } } as DomainEvent;
        }
        default:
          return event;
      }
    },
    fromApi({ id, content, timestamp, author, reactions = [] }) {
      const person = { userId: author.id, username: author.username, avatar: author.avatar ?? null };
      return {
        messageId: id,
        ...authorOf(id, person, content),
        timestamp: Date.parse(timestamp),
        reactions: reactions.map(({ emoji, count }) => ({
          emoji: emoji.id ? `${emoji.name}:${emoji.id}` : (emoji.name ?? '?'),
          count,
        })),
      };
    },
    isBy(userId, messageId) {
      const author = authors.get(messageId);
      return author === undefined ? undefined : author === userId;
    },
    async expect(what, where, userId) {
      const place = `${what} ${where}`;
      keep(expected, place, userId, MAX_EXPECTED);
      await notes.put(place, userId, EXPECTED_MS);
    },
  };
}
