/**
 * Owns the list of rooms: the guild's voice channels as the gateway last told them. Refuses to ask Discord: what the
 * events say is newer than what an answer would.
 */
import { type DomainEvent, toLogText } from '@guildkit/core';

/** A voice channel that people can meet in. */
export interface Room {
  readonly channelId: string;
  readonly name: string;
}

/** The rooms of one guild. */
export interface RoomDirectory {
  /** Rooms in the order in which they were made: snowflakes count up. */
  list(): readonly Room[];
  get(channelId: string): Room | undefined;
  /** Whether the room exists or has existed since the start: someone on its page may learn that it is gone. */
  knows(channelId: string): boolean;
  /** A room that Discord has confirmed, before its event is here. */
  add(room: Room): void;
  /** Takes what it needs from an event of the gateway. */
  apply(event: DomainEvent): void;
}

/** Discord takes 1 to 100 characters. */
const MAX_NAME_LENGTH = 100;

/**
 * A room's name as pages and logs may show it: one line, without controls and bidirectional overrides, as the hub sends it.
 *
 * @returns `undefined` when nothing that can be seen is left, or too much.
 */
export function roomNameOf(text: string): string | undefined {
  const name = text.length > MAX_NAME_LENGTH ? '' : toLogText(text, MAX_NAME_LENGTH).trim();
  return /[\p{L}\p{N}\p{P}\p{S}]/u.test(name) ? name : undefined;
}

/** Discord may hold names that show nothing: a room's page still needs a heading. */
const UNNAMED = 'Room without a name';

/** How many deleted rooms are remembered. */
const MAX_GONE = 1000;

export function createRoomDirectory(guildId: string): RoomDirectory {
  const rooms = new Map<string, Room>();
  const gone = new Set<string>();

  const add = ({ channelId, name }: Room) => {
    gone.delete(channelId);
    rooms.set(channelId, { channelId, name: roomNameOf(name) ?? UNNAMED });
  };
  const remove = (channelId: string) => {
    if (!rooms.delete(channelId)) return;
    gone.add(channelId);
    const [oldest] = gone;
    if (gone.size > MAX_GONE && oldest !== undefined) gone.delete(oldest);
  };

  return {
    list: () => [...rooms.values()].sort((a, b) => compareSnowflakes(a.channelId, b.channelId)),
    get: (channelId) => rooms.get(channelId),
    add,
    knows: (channelId) => rooms.has(channelId) || gone.has(channelId),
    apply(event) {
      switch (event.event) {
        case 'channel.created':
          if (event.payload.guildId === guildId) add(event.payload);
          break;
        case 'channel.deleted':
          if (event.payload.guildId === guildId) remove(event.payload.channelId);
          break;
        case 'voice.snapshot': {
          if (event.payload.guildId !== guildId) break;
          const current = new Set(event.payload.channels.map((channel) => channel.channelId));
          for (const channelId of [...rooms.keys()]) if (!current.has(channelId)) remove(channelId);
          for (const channel of event.payload.channels) add(channel);
          break;
        }
      }
    },
  };
}

/** Snowflakes have no leading zeros, so the longer one is the larger one. */
function compareSnowflakes(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}
