/** Owns what the forwarder has to know of an event: what it must not overtake, what it replaces, what its loss means. */
import type { DomainEvent } from '@guildkit/core';

/** What the forwarder has to know of an event. */
export interface EventFacts {
  /** `''` for what belongs to no guild. */
  readonly guildId: string;
  /** Rooms and people. Of two events that share one, the later never overtakes. */
  readonly keys: readonly string[];
  /** Speaks of the whole guild: overtakes nothing of it, and nothing overtakes it. */
  readonly barrier: boolean;
  /** What the event is about. */
  readonly subject: string;
  /** A later event of the same name and subject says all that this one does. */
  readonly coalescible: boolean;
  /** When it is lost, lists of members are wrong until a snapshot. */
  readonly heals: boolean;
}

/** The facts of an event. */
export function factsOf(event: Pick<DomainEvent, 'event' | 'payload'>): EventFacts {
  const { guildId, channelId, fromChannelId, userId } = event.payload as {
    readonly guildId?: string | null;
    readonly channelId?: string | null;
    readonly fromChannelId?: string;
    readonly userId?: string;
  };
  const name = event.event;
  const guild = guildId ?? '';
  const isVoice = name.startsWith('voice.');
  const channels = [channelId, fromChannelId].flatMap((id) => (id == null ? [] : [`channel:${id}`]));
  const keys = isVoice && userId !== undefined ? [...channels, `user:${userId}`] : channels;
  return {
    guildId: guild,
    keys,
    barrier: name === 'voice.snapshot',
    subject: subjectOf(name, guild, channelId ?? '', userId ?? ''),
    coalescible: name === 'voice.updated' || name === 'voice.snapshot' || name === 'typing.started',
    heals: isVoice || name.startsWith('channel.'),
  };
}

/** Events that stand before another, by what they must not be overtaken in. */
interface Line {
  /** Guilds of which anything is in the line. */
  readonly guilds: Set<string>;
  /** Guilds with a snapshot in the line. */
  readonly barriers: Set<string>;
  readonly keys: Set<string>;
}

/** An empty line. */
export function newLine(): Line {
  return { guilds: new Set(), barriers: new Set(), keys: new Set() };
}

/** Whether an event must wait for one of the line. */
export function isBehind({ guilds, barriers, keys }: Line, facts: EventFacts): boolean {
  const { guildId } = facts;
  if (barriers.has(guildId) || (facts.barrier && guilds.has(guildId))) return true;
  return facts.keys.some((key) => keys.has(`${guildId} ${key}`));
}

/** Puts an event at the end of the line. */
export function join({ guilds, barriers, keys }: Line, facts: EventFacts): void {
  const { guildId } = facts;
  guilds.add(guildId);
  if (facts.barrier) barriers.add(guildId);
  for (const key of facts.keys) keys.add(`${guildId} ${key}`);
}

function subjectOf(name: string, guildId: string, channelId: string, userId: string): string {
  if (name === 'voice.snapshot') return `snapshot:${guildId}`;
  // All of someone's voice events: one that says they left stands between two that say how they are.
  if (name.startsWith('voice.')) return `voice:${guildId}:${userId}`;
  return `${name}:${channelId}:${userId}`;
}
