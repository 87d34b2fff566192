/** The log of a room as Redis has it, read past everything that is under test; and what clients were told, held against it. */

import type { Stretch } from './log-client.js';
import type { connectTo } from './redis-server.js';

export interface RoomLog {
  readonly epoch: string;
  readonly seq: number;
  /** Ids of events by seq. */
  readonly ids: ReadonlyMap<number, string>;
}

/** A publish that was told to have worked. */
export interface Resolved {
  readonly room: string;
  readonly id: string;
  readonly epoch: string;
  readonly seq: number;
}

/** Ids as the tests give them, wherever the engine puts them. */
const ID = /event \d+/;

type Admin = Pick<Awaited<ReturnType<typeof connectTo>>, 'sendCommand'>;

export async function readRoomLog(admin: Admin, room: string): Promise<RoomLog> {
  const [epoch, seq] = (await admin.sendCommand([
    'HMGET',
    `guildkit:{${room}}:meta`,
    'epoch',
    'seq',
  ])) as unknown as string[];
  const entries = (await admin.sendCommand(['XRANGE', `guildkit:{${room}}:log`, '-', '+'])) as unknown as [
    string,
    string[],
  ][];
  const ids = new Map<number, string>();
  for (const [at, fields] of entries) {
    ids.set(Number(at.split('-')[0]), ID.exec(fields[1] as string)?.[0] ?? '');
  }
  return { epoch: epoch ?? '', seq: Number(seq ?? 0), ids };
}

/**
 * What is wrong with what a client was told; `undefined` when all of it is as it must be: it ends where the log ends, each
 * event is the one that the log (of which nothing was trimmed), or a resolved publish of that epoch, has at that place.
 */
export function misfit(
  log: RoomLog,
  told: readonly Stretch[],
  resolved: readonly Resolved[],
  isEvicted = false,
): string | undefined {
  const last = told.at(-1);
  if (last === undefined) return 'it was told nothing';
  const end = last.from + last.ids.length;
  if (last.epoch !== log.epoch || end !== log.seq)
    return `it ends at ${end} of ${last.epoch}, not ${log.seq} of ${log.epoch}`;
  const known = new Map(resolved.map(({ epoch, seq, id }) => [`${epoch} ${seq}`, id]));
  for (const { epoch, from, ids } of told) {
    for (const [n, id] of ids.entries()) {
      const seq = from + n + 1;
      const isKept = epoch === log.epoch && !(isEvicted && !log.ids.has(seq));
      const should = isKept ? log.ids.get(seq) : (known.get(`${epoch} ${seq}`) ?? id);
      if (should !== id) return `it has ${id} at ${seq} of ${epoch}, not ${should}`;
    }
  }
  return undefined;
}

/** Resolved publishes that are not in the log though their epoch goes on. An evicted log lacks its oldest events. */
export function falseSuccesses(log: RoomLog, resolved: readonly Resolved[], isEvicted = false): string[] {
  return resolved
    .filter(({ epoch, seq, id }) => epoch === log.epoch && (log.ids.get(seq) ?? (isEvicted ? id : '')) !== id)
    .map(({ id, seq }) => `${id} at ${seq}`);
}

/** Ids that the log has more than once. */
export function doubles({ ids }: RoomLog): string[] {
  const seen = new Set<string>();
  return [...ids.values()].filter((id) => seen.size === seen.add(id).size);
}
