/** Owns what people are called: what Discord last said of each. Refuses to ask. */
import type { DiscordPerson, DomainEvent } from '@guildkit/core';
import { type Notes, noNotes } from './notes.js';

/** How many are remembered. */
const MAX_PEOPLE = 5_000;
/** How long other processes know somebody who was here. */
const NOTED_MS = 30 * 86_400_000;

/** Names and avatars by user id. */
export interface People {
  get(userId: string): DiscordPerson | undefined;
  /** As {@link get}; whom another process knows is known here afterwards. */
  find(userId: string): Promise<DiscordPerson | undefined>;
  /** Somebody who is logged in, for every process. */
  remember(person: DiscordPerson): void;
  /** Takes the names from an event of the gateway. */
  apply(event: DomainEvent): void;
}

export function createPeople(notes: Notes = noNotes): People {
  const known = new Map<string, DiscordPerson>();
  const keep = ({ userId, username, avatar }: DiscordPerson): void => {
    known.delete(userId);
    known.set(userId, { userId, username, avatar });
    const [oldest] = known.keys();
    if (known.size > MAX_PEOPLE && oldest !== undefined) known.delete(oldest);
  };
  const keyOf = (userId: string): string => `person ${userId}`;
  /** Whom others have been told of, and as whom. */
  const noted = new Map<string, string>();
  return {
    get: (userId) => known.get(userId),
    async find(userId) {
      const person = known.get(userId);
      if (person !== undefined) return person;
      const text = await notes.get(keyOf(userId));
      if (text === undefined) return undefined;
      const { username, avatar } = JSON.parse(text) as DiscordPerson;
      keep({ userId, username, avatar });
      return known.get(userId);
    },
    remember(person) {
      keep(person);
      const { userId, username, avatar } = person;
      const text = JSON.stringify({ username, avatar });
      if (noted.get(userId) === text) return;
      if (noted.size >= MAX_PEOPLE) noted.clear();
      noted.set(userId, text);
      void notes.put(keyOf(userId), text, NOTED_MS);
    },
    apply({ payload }) {
      if ('members' in payload) for (const member of payload.members) keep(member);
      else if ('username' in payload) keep(payload);
    },
  };
}
