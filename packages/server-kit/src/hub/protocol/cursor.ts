/**
 * Owns the cursor of a stream: the positions in all its rooms as one short text, which clients hand back unread.
 * Refuses to trust what comes back: a part that cannot be read is a room without a position.
 */
import { type Position, parseRoom } from '@guildkit/core/wire';

/** Longest cursor that is looked at: a hundred rooms with long names fit. */
const MAX_LENGTH = 16_384;

/** `room,epoch,seq` of one room. Epochs are the engine's: escaped, they hold neither separator nor line break. */
export function cursorPart(room: string, { epoch, seq }: Position): string {
  return `${room},${encodeURIComponent(epoch)},${seq}`;
}

/** Joins the parts of all rooms. */
export function joinCursor(parts: Iterable<string>): string {
  return [...parts].join(';');
}

/** Reads a cursor. Never throws. */
export function parseCursor(text: string): ReadonlyMap<string, Position> {
  const positions = new Map<string, Position>();
  if (text.length > MAX_LENGTH) return positions;
  for (const part of text.split(';')) {
    const [room = '', epoch = '', digits = '', ...rest] = part.split(',');
    if (rest.length > 0 || parseRoom(room) === undefined || !/^[0-9]{1,15}$/.test(digits)) continue;
    const name = decode(epoch);
    if (name !== undefined) positions.set(room, { epoch: name, seq: Number(digits) });
  }
  return positions;
}

function decode(text: string): string | undefined {
  try {
    const epoch = decodeURIComponent(text);
    return epoch.length > 0 && epoch.length <= 64 ? epoch : undefined;
  } catch {
    return undefined;
  }
}
