/** Owns what a process that joins the others begins with: who is in voice, as the rooms of the hub say. */
import type { DomainEvent } from '@guildkit/core';
import { channelRoom, guildRoom, parseRoom } from '@guildkit/core/wire';
import type { HubEngine } from '@guildkit/server-kit/hub';

/** Rooms that are read at once. */
const AT_ONCE = 50;

/** The whole of a guild, as a gateway would tell it; `undefined` while nobody has told of it. */
export async function readWhole(
  engine: Pick<HubEngine, 'read' | 'rooms'>,
  guildId: string,
): Promise<DomainEvent<'voice.snapshot'> | undefined> {
  const { snapshot, epoch, seq } = await engine.read(guildRoom(guildId));
  if (snapshot.kind !== 'guild' || seq === 0) return undefined;
  const named = await engine.rooms(guildRoom(guildId));
  const ids = new Set([
    ...snapshot.channels.map(({ channelId }) => channelId),
    ...named.flatMap((room) => {
      const name = parseRoom(room);
      return name?.kind === 'channel' ? [name.id] : [];
    }),
  ]);
  const members: DomainEvent<'voice.snapshot'>['payload']['members'][number][] = [];
  const all = [...ids];
  for (let at = 0; at < all.length; at += AT_ONCE) {
    const reads = await Promise.all(all.slice(at, at + AT_ONCE).map((id) => engine.read(channelRoom(id))));
    for (const { snapshot: room } of reads) {
      if (room.kind !== 'voice' || room.state === 'deleted') continue;
      const { channelId } = room;
      for (const { joinedAt: _, ...member } of room.members) members.push({ ...member, channelId });
    }
  }
  const ts = Date.now();
  const id = `whole ${epoch} ${seq} ${ts}`;
  return {
    event: 'voice.snapshot',
    payload: { guildId, members, channels: snapshot.channels, timestamp: ts },
    id,
    traceId: id,
    ts,
  };
}
