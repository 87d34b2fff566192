/** Owns what people are called: what Discord last said of each. Refuses to ask. */
import type { DiscordPerson, DomainEvent } from '@guildkit/core';

/** How many are remembered. */
const MAX_PEOPLE = 5_000;

/** Names and avatars by user id. */
export interface People {
  get(userId: string): DiscordPerson | undefined;
  remember(person: DiscordPerson): void;
  /** Takes the names from an event of the gateway. */
  apply(event: DomainEvent): void;
}

export function createPeople(): People {
  const known = new Map<string, DiscordPerson>();
  const remember = ({ userId, username, avatar }: DiscordPerson): void => {
    known.delete(userId);
    known.set(userId, { userId, username, avatar });
    const [oldest] = known.keys();
    if (known.size > MAX_PEOPLE && oldest !== undefined) known.delete(oldest);
  };
  return {
    get: (userId) => known.get(userId),
    remember,
    apply({ payload }) {
      if ('members' in payload) for (const member of payload.members) remember(member);
      else if ('username' in payload) remember(payload);
    },
  };
}
