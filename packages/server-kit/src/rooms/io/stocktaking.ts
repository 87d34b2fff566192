/** Owns the comparison of what is known with what Discord has: rooms are adopted, half-done work is finished or removed. */
import type { GuildState } from '../../shared/guild-state.js';
import type { RoomSettings } from '../options.js';
import type { FoundRoom } from '../protocol/inventory.js';
import type { RoomRecord } from '../protocol/room.js';
import type { EndCause, Reconciliation } from '../room-shapes.js';
import type { RoomBuilder } from './builder.js';
import type { Creation } from './creation.js';
import type { Endings } from './endings.js';

/** What a comparison needs. */
export interface StocktakingHost {
  readonly settings: RoomSettings;
  readonly builder: RoomBuilder;
  readonly voice: GuildState;
  readonly creation: Pick<Creation, 'isBuilding'>;
  readonly endings: Pick<Endings, 'isEnding' | 'finish'>;
  /** A room is open: it is watched from now on, if it was not. */
  onOpen(channelId: string): void;
}

const RECOVERED: EndCause = 'recovered';

/** Discord's epoch, 2015, in unix ms: ids carry their time. */
const DISCORD_EPOCH = 1_420_070_400_000n;

/** Compares, adopts, finishes, removes. Safe at any time. */
export async function takeStock(host: StocktakingHost): Promise<Reconciliation> {
  const { settings, builder, creation, endings, onOpen } = host;
  const { store, guildId, clock, orphanGraceMs, rememberEndedMs, logger } = settings;
  const { rooms, orphanRoles, surplus } = await builder.inventory();
  const done = { adopted: 0, ended: 0, removed: 0 };
  for (const found of rooms) {
    if (creation.isBuilding(found.marker)) continue;
    const known = await store.get(found.channelId);
    if (known === undefined) {
      if (await adopt(host, found)) done.adopted += 1;
    } else if (known.state !== 'open' && !endings.isEnding(found.channelId)) {
      // Its end stopped half-way.
      await endings.finish({ ...known, state: 'ending' }, RECOVERED);
      done.ended += 1;
    } else onOpen(found.channelId);
  }
  for (const { channelId, roleId, marker } of surplus) {
    if (creation.isBuilding(marker)) continue;
    await builder.removeChannel(channelId);
    if (!rooms.some((room) => room.roleId === roleId)) await builder.removeRole(roleId, guildId);
    done.removed += 1;
  }
  const now = clock.wallTime();
  for (const { roleId, marker } of orphanRoles) {
    const ageMs = now - Number((BigInt(roleId) >> 22n) + DISCORD_EPOCH);
    const room = await store.findByMarker(marker);
    if (room?.state === 'open') continue;
    if (creation.isBuilding(marker) || (room === undefined && ageMs < orphanGraceMs)) continue;
    await builder.removeRole(roleId, guildId);
    done.removed += 1;
  }
  for (const room of await store.list()) {
    if (room.state === 'ended') {
      if (now - (room.endedAt ?? 0) > rememberEndedMs) await store.remove(room.channelId);
      continue;
    }
    const isThere = rooms.some(({ channelId }) => channelId === room.channelId);
    // A room that was made since Discord was asked is not missing.
    if (isThere || endings.isEnding(room.channelId) || now - room.createdAt < orphanGraceMs) continue;
    await endings.finish(room, RECOVERED);
    done.ended += 1;
  }
  if (done.adopted + done.ended + done.removed > 0) logger.info({ ...done }, 'rooms reconciled with Discord');
  return done;
}

async function adopt({ settings, voice, onOpen }: StocktakingHost, found: FoundRoom): Promise<boolean> {
  const { channelId, roleId, marker, creatorId, name, userLimit } = found;
  const { store, guildId, clock, maxUserLimit, holdersOf, logger } = settings;
  const present = voice.membersOf(guildId, channelId).map(({ userId }) => userId);
  const holders = holdersOf === undefined ? present : await holdersOf({ guildId, roleId, channelId });
  const limit = userLimit === 0 ? maxUserLimit : Math.min(userLimit, maxUserLimit);
  const room: RoomRecord = {
    guildId,
    channelId,
    roleId,
    marker,
    creatorId,
    name,
    userLimit: limit,
    createdAt: clock.wallTime(),
    state: 'open',
    holders,
  };
  const isNew = await store.add(room);
  onOpen(channelId);
  if (isNew) logger.info({ channelId, creatorId }, 'room found in Discord');
  return isNew;
}
