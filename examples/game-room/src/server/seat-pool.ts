/**
 * Owns who sits where: which seat of the pool speaks for which player, and for how long. Refuses to know bots, sockets and
 * Discord: a seat is what joins a channel and carries media.
 */
import { type Clock, type DiscordPerson, type Logger, messageOf, systemClock } from '@guildkit/core';
import type { MediaSeat } from '@guildkit/server-kit/media';
import { ownSeats, type SeatLeases } from './seat-leases.js';

/** One bot of the pool. */
export interface Seat {
  readonly media: MediaSeat;
  /** As whom Discord shows it, once it has been connected. */
  readonly userId: string | undefined;
  /** Connects, so that its id is known. */
  connect(): Promise<void>;
  /** Goes into a voice channel. */
  join(channelId: string): Promise<void>;
  leave(): Promise<void>;
  close(): Promise<void>;
}

/** For whom a seat is taken, and where. */
interface SeatHolder {
  readonly player: DiscordPerson;
  readonly channelId: string;
}

export interface SeatPoolOptions {
  /** How many seats there are. */
  readonly size: number;
  /** Makes a seat when it is first needed. */
  readonly open: (index: number) => Promise<Seat>;
  /** Keeps other processes off a seat that is in use here. @defaultValue there are none */
  readonly leases?: SeatLeases | undefined;
  readonly logger: Logger;
  readonly clock?: Clock | undefined;
}

export interface SeatPool {
  /**
   * Takes a seat for a player; `null` when all are taken. A player who comes back to the same room gets the seat that they
   * had, also while the connection before has not ended yet: the newer one speaks then.
   */
  take(holder: SeatHolder): Promise<MediaSeat | null>;
  /** Gives a seat back. It stays in its channel for a moment: pages come back. */
  release(lease: MediaSeat): void;
  /** The player got up: what they have in a room waits for nobody, unless another page of theirs is there. */
  getUp(userId: string, channelId: string): void;
  /** Ends what a player has in a room. */
  end(userId: string, channelId: string): void;
  /** Whom a seat stands for, by its own id. */
  playerOf(seatUserId: string): DiscordPerson | undefined;
  close(): Promise<void>;
}

/** How long a seat waits for its player to come back, ms. */
const LINGER_MS = 5_000;

interface Place {
  readonly index: number;
  readonly seat: Promise<Seat>;
  /** The seat, once it is there. */
  opened: Seat | undefined;
  holder: SeatHolder | undefined;
  /** When it has joined. */
  ready: Promise<void>;
  leaving: Promise<void>;
  leases: Map<MediaSeat, Set<() => void>>;
  /** The lease that may speak: the newest. */
  speaker: MediaSeat | undefined;
  linger: unknown;
  /** Removed from its channel, by us, or its player got up: nobody comes back to it. */
  isOver: boolean;
}

const DONE = Promise.resolve();
/** Another process has that bot. */
const ELSEWHERE = new Error('the seat is in use in another process');

export function createSeatPool(options: SeatPoolOptions): SeatPool {
  const { size, open, leases = ownSeats, logger, clock = systemClock } = options;
  const places: Place[] = [];
  const placeOf = new Map<MediaSeat, Place>();
  let isClosed = false;

  function add(): Place {
    let index = 0;
    while (places.some((each) => each.index === index)) index += 1;
    const place: Place = {
      index,
      seat: open(index),
      opened: undefined,
      holder: undefined,
      ready: DONE,
      leaving: DONE,
      leases: new Map(),
      speaker: undefined,
      linger: undefined,
      isOver: false,
    };
    place.seat.then(
      (seat) => {
        place.opened = seat;
        seat.media.onEnded?.(() => over(place));
      },
      // Whoever asked for it is told; the next one makes another.
      () => places.splice(places.indexOf(place), 1),
    );
    places.push(place);
    return place;
  }

  function find(refused: ReadonlySet<Place>): Place | undefined {
    const free = places.find((place) => place.holder === undefined && !refused.has(place));
    if (free !== undefined) return free;
    if (places.length < size) return add();
    // Better somebody who is here than somebody who may come back.
    const waiting = places.find(({ linger }) => linger !== undefined);
    if (waiting !== undefined) vacate(waiting);
    return waiting;
  }

  /** A place for a player that no other process has. */
  async function claim(holder: SeatHolder): Promise<Place | undefined> {
    const refused = new Set<Place>();
    for (let place = find(refused); place !== undefined; place = find(refused)) {
      place.holder = holder;
      place.isOver = false;
      place.ready = join(place, holder);
      try {
        await place.ready;
        return place;
      } catch (error) {
        if (error !== ELSEWHERE) {
          if (place.holder === holder) vacate(place);
          throw error;
        }
        if (place.holder === holder) place.holder = undefined;
        refused.add(place);
      }
    }
    return undefined;
  }

  function vacate(place: Place): void {
    stopWaiting(place);
    place.holder = undefined;
    place.speaker = undefined;
    const { opened } = place;
    if (opened === undefined) {
      void leases.release(place.index);
      return;
    }
    place.leaving = opened
      .leave()
      .catch((error) => logger.warn({ reason: messageOf(error) }, 'a seat did not leave'))
      .then(() => (place.holder === undefined ? leases.release(place.index) : undefined));
    // The one that was used last is used last again: one that does not work does not stand before those that do.
    places.push(...places.splice(places.indexOf(place), 1));
  }

  function stopWaiting(place: Place): void {
    if (place.linger !== undefined) clock.clearTimer(place.linger);
    place.linger = undefined;
  }

  /** Tells the pages; each gives back its lease. */
  function over(place: Place): void {
    if (place.holder === undefined) return;
    place.isOver = true;
    if (place.leases.size === 0) vacate(place);
    for (const listeners of [...place.leases.values()]) for (const listener of [...listeners]) listener();
  }

  async function join(place: Place, holder: SeatHolder): Promise<void> {
    const check = (): void => {
      if (place.holder !== holder) throw new Error('the seat was taken back');
    };
    await place.leaving;
    check();
    if (!(await leases.take(place.index))) throw ELSEWHERE;
    const seat = await place.seat;
    check();
    await seat.connect();
    // Before it joins: whoever is told by Discord that it is there has to know for whom.
    if (seat.userId !== undefined) await leases.name(place.index, { seatUserId: seat.userId, player: holder.player });
    check();
    await seat.join(holder.channelId);
  }

  leases.onLost((index) => {
    const place = places.find((each) => each.index === index);
    if (place !== undefined) over(place);
  });

  function lease(place: Place, { media }: Seat): MediaSeat {
    const enders = new Set<() => void>();
    const own: MediaSeat = {
      ...media,
      sendAudio: (frame) => {
        if (place.speaker === own) media.sendAudio(frame);
      },
      sendVideo: (frame) => {
        if (place.speaker === own) media.sendVideo(frame);
      },
      onEnded(listener) {
        enders.add(listener);
        return () => enders.delete(listener);
      },
    };
    place.leases.set(own, enders);
    place.speaker = own;
    placeOf.set(own, place);
    return own;
  }

  return {
    async take(holder) {
      if (isClosed) return null;
      const { player, channelId } = holder;
      const same = places.find(
        (place) =>
          !place.isOver && place.holder?.player.userId === player.userId && place.holder.channelId === channelId,
      );
      if (same === undefined) {
        const place = await claim(holder);
        if (place?.holder !== holder || place.isOver || isClosed) return null;
        stopWaiting(place);
        return lease(place, await place.seat);
      }
      stopWaiting(same);
      const current = same.holder;
      try {
        await same.ready;
      } catch (error) {
        if (error === ELSEWHERE) return this.take(holder);
        throw error;
      }
      // Taken back while it joined.
      if (same.holder !== current || same.isOver || isClosed) return null;
      stopWaiting(same);
      return lease(same, await same.seat);
    },
    release(given) {
      const place = placeOf.get(given);
      if (place === undefined) return;
      placeOf.delete(given);
      place.leases.delete(given);
      if (place.speaker === given) place.speaker = [...place.leases.keys()].at(-1);
      if (place.leases.size > 0) return;
      if (place.isOver || isClosed) vacate(place);
      else place.linger = clock.setTimer(() => vacate(place), LINGER_MS);
    },
    getUp(userId, channelId) {
      for (const place of [...places]) {
        const { holder, leases: held } = place;
        if (holder?.player.userId !== userId || holder.channelId !== channelId) continue;
        if (held.size === 0) vacate(place);
        // The page's connection is about to end.
        else if (held.size === 1) place.isOver = true;
      }
    },
    end(userId, channelId) {
      for (const place of [...places]) {
        if (place.holder?.player.userId === userId && place.holder.channelId === channelId) over(place);
      }
    },
    playerOf: (seatUserId) =>
      places.find(({ opened }) => opened?.userId === seatUserId)?.holder?.player ?? leases.playerOf(seatUserId),
    async close() {
      isClosed = true;
      for (const place of places) stopWaiting(place);
      await Promise.all(places.map(({ seat }) => seat.then((each) => each.close()).catch(() => {})));
      await leases.close();
    },
  };
}
