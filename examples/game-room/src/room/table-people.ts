/**
 * Owns who the tiles of a table are of: streams come by Discord's ids, and a player who is there by Discord and by a seat
 * is one tile. Pure.
 */
import type { SeatedPlayer } from './seat-events.js';
import type { TablePerson } from './table-view.js';

/** A tile of the table. */
export interface TableTile extends TablePerson {
  readonly name: string;
}

/**
 * The tiles of everybody but oneself, in the order in which streams are listed.
 *
 * @param nameOf What somebody is called who is in voice.
 */
export function tilesOf(
  people: readonly TablePerson[],
  seats: readonly SeatedPlayer[],
  ownId: string,
  nameOf: (userId: string) => string | undefined,
): readonly TableTile[] {
  const seatOf = new Map(seats.map((seat) => [seat.seatId, seat]));
  const tiles = new Map<string, TableTile>();
  for (const person of people) {
    const seat = seatOf.get(person.userId);
    const userId = seat?.userId ?? person.userId;
    // What one says in Discord oneself.
    if (userId === ownId) continue;
    const other = tiles.get(userId);
    // Of two cameras the one that shows something.
    const { video, showing } = other?.showing === true || person.video === undefined ? (other ?? person) : person;
    const speaking = person.speaking || other?.speaking === true;
    tiles.set(userId, { userId, name: nameOf(userId) ?? seat?.username ?? 'Somebody', video, showing, speaking });
  }
  return [...tiles.values()];
}
