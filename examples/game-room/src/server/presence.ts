/**
 * Owns who is in voice as pages are to see it: a seat is its player, and a player who is there twice, by Discord and by a
 * seat, is one entry that leaves when the last of the two has left. Refuses to ask anybody: it follows events.
 */
import type { DiscordPerson, DomainEvent, VoiceFlags } from '@guildkit/core';
import type { SeatedPlayer } from '../room/seat-events.js';

/** A player's presence in a channel, as Discord knows it. */
export interface Way {
  readonly channelId: string;
  /** Of the account that is in voice: the player's own, or the seat's. */
  readonly discordId: string;
  readonly isSeat: boolean;
}

export interface Presence {
  /** What pages are to be told of an event. The same event again gives the same. */
  shown(event: DomainEvent): readonly DomainEvent[];
  /** Every way in which a player is in voice; of a seat's own id, that seat alone. */
  waysOf(userId: string): readonly Way[];
  /** As whom an account is shown: a seat as its player, everybody else as themselves. */
  shownAs(discordId: string): string;
  /** The seats in a channel. */
  seatsIn(channelId: string): readonly SeatedPlayer[];
  /** How many people are in a channel, each once. */
  peopleIn(channelId: string): number;
  /** How many seats are in channels. */
  seatCount(): number;
}

export interface PresenceOptions {
  /** Whom a seat stands for, by the seat's own id; `undefined` for everybody else. */
  readonly playerOf: (discordId: string) => DiscordPerson | undefined;
  /** The seats of a channel, or who of them is there twice, have changed. */
  readonly onSeats?: ((channelId: string) => void) | undefined;
}

interface Entry extends VoiceFlags {
  readonly discordId: string;
  readonly channelId: string;
  /** As whom they are shown. */
  readonly player: DiscordPerson;
  readonly isSeat: boolean;
}

type VoicePayload = DomainEvent<'voice.joined'>['payload'];

/** Events whose answers are remembered: what failed on its way comes again. */
const MAX_REMEMBERED = 512;

export function createPresence({ playerOf, onSeats }: PresenceOptions): Presence {
  /** By Discord's id. Seats stand in both. */
  const entries = new Map<string, Entry>();
  const seats = new Map<string, Entry>();
  const answers = new Map<string, readonly DomainEvent[]>();
  const told = new Map<string, string>();

  const keep = (entry: Entry): void => {
    entries.set(entry.discordId, entry);
    if (entry.isSeat) seats.set(entry.discordId, entry);
  };
  const drop = (discordId: string): void => {
    entries.delete(discordId);
    seats.delete(discordId);
  };

  /** Every entry under which a player stands in a channel. */
  function togetherIn(channelId: string, userId: string): readonly Entry[] {
    const own = entries.get(userId);
    const all = own === undefined || own.isSeat ? [...seats.values()] : [own, ...seats.values()];
    return all.filter((each) => each.channelId === channelId && each.player.userId === userId);
  }

  function entryOf({ userId, username, avatar, channelId, mute, deaf, video }: Omit<VoicePayload, 'timestamp'>): Entry {
    const before = entries.get(userId);
    const isSame = before?.isSeat === true && before.channelId === channelId;
    const seated = isSame ? before.player : playerOf(userId);
    const player = seated ?? { userId, username, avatar };
    return { discordId: userId, channelId, player, isSeat: seated !== undefined, mute, deaf, video };
  }

  /** Muted is who is muted in every way; seen is who is seen in one. */
  function merged(all: readonly Entry[]): DiscordPerson & VoiceFlags {
    const { player } = all.find(({ isSeat }) => !isSeat) ?? (all[0] as Entry);
    return {
      ...player,
      mute: all.every(({ mute }) => mute),
      deaf: all.every(({ deaf }) => deaf),
      video: all.some(({ video }) => video),
    };
  }

  function arrival(event: DomainEvent<'voice.joined' | 'voice.updated' | 'voice.moved'>, id: string): DomainEvent {
    const { guildId, channelId, timestamp } = event.payload;
    const entry = entryOf(event.payload);
    const wasHere = togetherIn(channelId, entry.player.userId).some(({ discordId }) => discordId !== entry.discordId);
    keep(entry);
    const person = merged(togetherIn(channelId, entry.player.userId));
    const name = wasHere || event.event === 'voice.updated' ? 'voice.updated' : 'voice.joined';
    return { ...event, id, event: name, payload: { guildId, channelId, ...person, timestamp } } as DomainEvent;
  }

  function departure(event: DomainEvent, entry: Entry, id: string): DomainEvent {
    const { guildId, timestamp } = event.payload as VoicePayload;
    const { channelId } = entry;
    if (entries.get(entry.discordId) === entry) drop(entry.discordId);
    const left = togetherIn(channelId, entry.player.userId);
    if (left.length === 0) {
      const { userId, username, avatar } = entry.player;
      const payload = { guildId, channelId, userId, username, avatar, timestamp };
      return { ...event, id, event: 'voice.left', payload } as DomainEvent;
    }
    const payload = { guildId, channelId, ...merged(left), timestamp };
    return { ...event, id, event: 'voice.updated', payload } as DomainEvent;
  }

  function answer(event: DomainEvent): readonly DomainEvent[] {
    switch (event.event) {
      case 'voice.joined':
      case 'voice.updated': {
        const before = entries.get(event.payload.userId);
        const isHere = before === undefined || before.channelId === event.payload.channelId;
        const gone = isHere ? [] : [departure(event, before, `${event.id}/left`)];
        return [...gone, arrival(event, event.id)];
      }
      case 'voice.moved': {
        const { userId, channelId, fromChannelId } = event.payload;
        const before = entries.get(userId) ?? entryOf({ ...event.payload, channelId: fromChannelId });
        if (before.channelId === channelId) return [arrival(event, event.id)];
        return [departure(event, before, `${event.id}/left`), arrival(event, event.id)];
      }
      case 'voice.left': {
        const { userId, channelId } = event.payload;
        const entry = entries.get(userId);
        // Whoever is elsewhere by now has left that place before.
        if (entry === undefined || (channelId !== null && channelId !== entry.channelId)) return [event];
        return [departure(event, entry, event.id)];
      }
      case 'voice.snapshot':
        return [{ ...event, payload: { ...event.payload, members: snapshot(event) } }];
      case 'channel.deleted':
        for (const { discordId, channelId } of [...entries.values()]) {
          if (channelId === event.payload.channelId) drop(discordId);
        }
        return [event];
      default:
        return [event];
    }
  }

  function snapshot({ payload }: DomainEvent<'voice.snapshot'>): DomainEvent<'voice.snapshot'>['payload']['members'] {
    const all = payload.members.map((member) => entryOf({ guildId: payload.guildId, ...member }));
    entries.clear();
    seats.clear();
    const home = new Map(all.filter(({ isSeat }) => !isSeat).map(({ discordId, channelId }) => [discordId, channelId]));
    for (const entry of all) {
      const { discordId, channelId, player } = entry;
      if (entry.isSeat && !home.has(player.userId)) home.set(player.userId, channelId);
      // A list of a whole server has each person once. Whoever is in two rooms at once is, in the second, their seat.
      const isAway = entry.isSeat && home.get(player.userId) !== channelId;
      keep(isAway ? { ...entry, player: { ...player, userId: discordId } } : entry);
    }
    const shown = new Map<string, Entry>();
    for (const entry of entries.values()) shown.set(`${entry.channelId} ${entry.player.userId}`, entry);
    return [...shown.values()].map(({ channelId, player: { userId } }) => ({
      channelId,
      ...merged(togetherIn(channelId, userId)),
    }));
  }

  function seatsIn(channelId: string): readonly SeatedPlayer[] {
    return [...seats.values()]
      .filter((seat) => seat.channelId === channelId)
      .map(({ discordId, player: { userId, username } }) => ({
        seatId: discordId,
        userId,
        username,
        isTwice: entries.get(userId)?.channelId === channelId,
      }));
  }

  function tellOfSeats(): void {
    const channels = new Set([...told.keys(), ...[...seats.values()].map(({ channelId }) => channelId)]);
    for (const channelId of channels) {
      const now = JSON.stringify(seatsIn(channelId));
      if ((told.get(channelId) ?? '[]') === now) continue;
      if (now === '[]') told.delete(channelId);
      else told.set(channelId, now);
      onSeats?.(channelId);
    }
  }

  return {
    shown(event) {
      const known = answers.get(event.id);
      if (known !== undefined) return known;
      const hadSeats = told.size > 0;
      const shown = answer(event);
      // The whole of a server gives the same each time anyway.
      if (event.event !== 'voice.snapshot' && (shown.length !== 1 || shown[0] !== event)) {
        answers.set(event.id, shown);
        const [oldest] = answers.keys();
        if (answers.size > MAX_REMEMBERED && oldest !== undefined) answers.delete(oldest);
      }
      if (hadSeats || seats.size > 0) tellOfSeats();
      return shown;
    },
    waysOf: (userId) =>
      [...new Set([entries.get(userId), ...seats.values()])].flatMap((entry) =>
        entry !== undefined && (entry.discordId === userId || entry.player.userId === userId)
          ? [{ channelId: entry.channelId, discordId: entry.discordId, isSeat: entry.isSeat }]
          : [],
      ),
    shownAs: (discordId) => entries.get(discordId)?.player.userId ?? discordId,
    seatsIn,
    peopleIn: (channelId) =>
      new Set([...entries.values()].flatMap((each) => (each.channelId === channelId ? [each.player.userId] : []))).size,
    seatCount: () => seats.size,
  };
}
