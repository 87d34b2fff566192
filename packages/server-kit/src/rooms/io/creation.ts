/** Owns the creation of rooms: one at a time for each creator, once for each key, nothing left of what fails. */
import { createHash } from 'node:crypto';
import { RoomError, toRoomError } from '../errors.js';
import type { RoomSettings } from '../options.js';
import { cleanName, newRoomProblems } from '../protocol/new-room.js';
import type { RoomRecord } from '../protocol/room.js';
import type { CreatedRoom, NewRoom } from '../room-shapes.js';
import type { RoomBuilder } from './builder.js';
import type { Seating } from './seating.js';

/** What creations need. */
export interface CreationHost {
  readonly settings: RoomSettings;
  readonly builder: RoomBuilder;
  readonly seating: Seating;
  /** A room is there. */
  onCreated(room: RoomRecord): void;
  /** Something failed that nobody waits for. */
  failed(error: unknown, message: string): void;
}

/** How long a creation may take; another process waits for as long. */
const CREATE_CLAIM_MS = 30_000;
const CREATE_POLL_MS = 250;

/** Creations. */
export class Creation {
  private readonly running = new Map<string, Promise<CreatedRoom>>();
  /** Markers whose creation is under way here: their roles are nobody's orphans. */
  private readonly building = new Set<string>();
  private readonly settings: RoomSettings;

  constructor(private readonly host: CreationHost) {
    this.settings = host.settings;
  }

  /** Whether a room with this marker is being made here. */
  isBuilding(marker: string): boolean {
    return this.building.has(marker);
  }

  /** Creates a room, or gives the one that is being created for the same person. @throws RoomError */
  async create(input: NewRoom): Promise<CreatedRoom> {
    const fields = newRoomProblems(input, this.settings.maxUserLimit);
    if (fields.length > 0) throw new RoomError('ERR_ROOM_INPUT_INVALID', { fields });
    const running = this.running.get(input.creatorId);
    if (running !== undefined) return running;
    const run = this.createOnce(input).finally(() => this.running.delete(input.creatorId));
    this.running.set(input.creatorId, run);
    return run;
  }

  private async createOnce(input: NewRoom): Promise<CreatedRoom> {
    const { store, clock } = this.settings;
    const { creatorId, idempotencyKey } = input;
    const marker = createHash('sha256')
      .update(idempotencyKey === undefined ? crypto.randomUUID() : `${creatorId}\n${idempotencyKey}`)
      .digest('hex')
      .slice(0, 16);
    const begunAt = clock.wallTime();
    for (let waited = 0; ; waited += CREATE_POLL_MS) {
      const ticket = await store.claim(`create ${creatorId}`, CREATE_CLAIM_MS);
      if (ticket !== undefined) {
        try {
          const same = await store.findByMarker(marker);
          if (same !== undefined && same.state !== 'open') throw new RoomError('ERR_ROOM_OVER');
          // Another process was at it while this one waited.
          const other = waited > 0 ? await this.newestOf(creatorId, begunAt) : undefined;
          const room = same ?? other ?? (await this.make(input, marker));
          return await this.toCreated(room);
        } finally {
          await store.release(`create ${creatorId}`, ticket);
        }
      }
      if (waited >= CREATE_CLAIM_MS) throw new RoomError('ERR_ROOM_BUSY');
      await new Promise<void>((resolve) => clock.setTimer(resolve, CREATE_POLL_MS));
    }
  }

  private async openOf(creatorId: string): Promise<readonly RoomRecord[]> {
    const rooms = await this.settings.store.list();
    return rooms.filter((room) => room.state === 'open' && room.creatorId === creatorId);
  }

  private async newestOf(creatorId: string, since: number): Promise<RoomRecord | undefined> {
    const rooms = await this.openOf(creatorId);
    return rooms.find((room) => room.createdAt >= since - CREATE_CLAIM_MS);
  }

  private async make(input: NewRoom, marker: string): Promise<RoomRecord> {
    const { builder, seating, onCreated, failed } = this.host;
    const { store, guildId, clock, maxUserLimit, maxRoomsPerCreator, logger } = this.settings;
    const { creatorId, name = 'Room', parentId, userLimit = maxUserLimit, idempotencyKey, accessToken } = input;
    const own = await this.openOf(creatorId);
    if (own.length >= maxRoomsPerCreator) throw new RoomError('ERR_ROOM_LIMIT');
    this.building.add(marker);
    try {
      const plan = {
        marker,
        creatorId,
        name: cleanName(name),
        parentId,
        userLimit,
        repeated: idempotencyKey !== undefined,
      };
      const built = await builder.build(plan);
      const room: RoomRecord = {
        ...built,
        guildId,
        creatorId,
        marker,
        userLimit: Math.min(built.userLimit, maxUserLimit),
        createdAt: clock.wallTime(),
        state: 'open',
        holders: [creatorId],
      };
      const seat = { guildId, roleId: built.roleId, channelId: built.channelId };
      try {
        await seating.giveRole(room, creatorId, accessToken);
      } catch (error) {
        // A room that its creator cannot enter is none.
        await builder
          .demolish(seat)
          .catch((cause: unknown) => failed(cause, 'half a room is left until the next sweep'));
        throw error;
      }
      await store.add(room);
      logger.info({ channelId: room.channelId, creatorId }, 'room created');
      onCreated(room);
      return room;
    } catch (error) {
      throw toRoomError(error);
    } finally {
      this.building.delete(marker);
    }
  }

  private async toCreated(room: RoomRecord): Promise<CreatedRoom> {
    const { channelId, name, guildId, roleId, creatorId } = room;
    const invite = await this.settings.invites?.create({ guildId, channelId, roleId, creatorId });
    return { channelId, name, guildId, roleId, invite: invite?.token };
  }
}
