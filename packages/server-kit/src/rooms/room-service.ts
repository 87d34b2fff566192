/**
 * Owns the life of rooms: created once, joined by four, closed when nobody is there, nothing left behind in Discord by
 * whatever stops half-way.
 */
import { createHash } from 'node:crypto';
import {
  createDriver,
  type DomainEvent,
  type Driver,
  GuildkitError,
  messageOf,
  TypedEmitter,
  toLogText,
} from '@guildkit/core';
import { channelRoom } from '@guildkit/core/wire';
import { GuildState } from '../shared/guild-state.js';
import { RoomError } from './errors.js';
import { RoomBuilder } from './io/builder.js';
import type { Patience } from './io/patience.js';
import { type Placement, Seating } from './io/seating.js';
import { type RoomServiceOptions, type RoomSettings, resolveRoomOptions } from './options.js';
import { admit, vacate } from './protocol/capacity.js';
import {
  type CleanupEffect,
  type CleanupInput,
  type CleanupState,
  createCleanupReducer,
  newCleanup,
} from './protocol/cleanup.js';
import type { FoundRoom } from './protocol/inventory.js';
import type { RoomRecord } from './protocol/room.js';
import type {
  CreatedRoom,
  EndCause,
  JoinRequest,
  NewRoom,
  Reconciliation,
  RoomServiceEvents,
  RoomStats,
} from './room-shapes.js';

type Watch = Driver<CleanupState, CleanupInput>;

/** How long a creation may take; another process waits for as long. */
const CREATE_CLAIM_MS = 30_000;
const CREATE_POLL_MS = 250;
/** Discord's epoch, 2015, in unix ms: ids carry their time. */
const DISCORD_EPOCH = 1_420_070_400_000n;

/**
 * Rooms: private voice channels, each with a role that opens it.
 *
 * @example
 * ```ts no-check
 * const rooms = new RoomService({ guildId, rest, invites, publish: (room, event, payload) => hub.publish(room, event, payload) });
 * gateway.onEvent('*', rooms.applyEvent);
 * await rooms.start();
 * const { channelId, invite } = await rooms.create({ creatorId: '42', name: 'Table 1' });
 * const { placement } = await rooms.join({ channelId, userId: '43', invite });
 * ```
 */
export class RoomService extends TypedEmitter<RoomServiceEvents> {
  private readonly settings: RoomSettings;
  private readonly voice = new GuildState();
  private readonly builder: RoomBuilder;
  private readonly seating: Seating;
  private readonly watches = new Map<string, Watch>();
  private readonly creating = new Map<string, Promise<CreatedRoom>>();
  /** Markers whose creation is under way here: their roles are nobody's orphans. */
  private readonly building = new Set<string>();
  private readonly ending = new Map<string, Promise<RoomRecord>>();
  private readonly counts = { created: 0, joined: 0 };
  private readonly ended: Record<EndCause, number> = { requested: 0, idle: 0, deleted: 0, recovered: 0 };
  private readonly refused: Record<string, number> = {};
  private sweeper: unknown;
  private closed = false;

  /** @throws TypeError on options out of range. */
  constructor(options: RoomServiceOptions) {
    super();
    const settings = resolveRoomOptions(options);
    this.settings = settings;
    const { rest, guildId, botUserId, staffRoleIds, logger, clock, random, tries, retryBaseMs, moveTimeoutMs } =
      settings;
    const patience: Patience = { clock, random, tries, baseMs: retryBaseMs };
    this.builder = new RoomBuilder({ rest, guildId, botUserId, staffRoleIds, patience, logger });
    this.seating = new Seating({ rest, patience, clock, logger, voice: this.voice, moveTimeoutMs });
  }

  /** Takes stock of Discord, then looks after empty rooms. Call it before the first request. */
  async start(): Promise<Reconciliation> {
    const done = await this.reconcile();
    this.sweepLater();
    return done;
  }

  /**
   * Creates a room. At once or again with the same key: the same room.
   *
   * @throws RoomError
   */
  create(input: NewRoom): Promise<CreatedRoom> {
    return this.counted(async () => {
      this.checkNew(input);
      const running = this.creating.get(input.creatorId);
      if (running !== undefined) return running;
      const run = this.createOnce(input).finally(() => this.creating.delete(input.creatorId));
      this.creating.set(input.creatorId, run);
      return run;
    });
  }

  /**
   * Gives someone a seat and brings them in.
   *
   * @throws RoomError, and what `invites.redeem` throws.
   */
  join({
    channelId,
    userId,
    invite,
    accessToken,
  }: JoinRequest): Promise<{ readonly room: RoomRecord; readonly placement: Placement }> {
    return this.counted(async () => {
      const { store, invites } = this.settings;
      await this.known(channelId);
      if (invite !== undefined && invites === undefined)
        throw new TypeError('RoomService.join: there is no "invites" option');
      // Looked at first and used last: whoever finds the room full has used nothing.
      if (invite !== undefined) await invites?.verify(invite, channelId);
      let kind: ReturnType<typeof admit>['kind'] = 'over';
      const room = await store.update(channelId, (before) => {
        const admission = admit(before, userId);
        kind = admission.kind;
        return admission.kind === 'admitted' ? admission.room : undefined;
      });
      if (room === undefined || (kind as string) === 'over') throw new RoomError('ERR_ROOM_OVER');
      if ((kind as string) === 'full') throw new RoomError('ERR_ROOM_FULL');
      try {
        if (invite !== undefined) await invites?.redeem(invite, userId, channelId);
        await this.seating.giveRole(room, userId, accessToken);
      } catch (error) {
        // The seat was never taken.
        if ((kind as string) === 'admitted') await store.update(channelId, (before) => vacate(before, userId));
        throw isOfInvites(error) ? error : toRoomError(error);
      }
      this.watches.get(channelId)?.dispatch({ type: 'arrived' });
      const placement = await this.seating.place(room, userId);
      this.counts.joined += 1;
      this.settings.logger.info({ channelId, userId, how: placement.how }, 'player joined');
      this.emit('joined', { room, userId, placement });
      return { room, placement };
    });
  }

  /** Resolves to whether someone is in the channel within the time: what a page waits for after a deep link. */
  async arrival(
    channelId: string,
    userId: string,
    options: { readonly withinMs?: number | undefined; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<boolean> {
    if (this.voice.whereIs(this.settings.guildId, userId) === channelId) return true;
    return this.seating.arrival(channelId, userId, options.withinMs ?? 60_000, options.signal);
  }

  /** Takes a seat back. Leaving twice is no error. @throws RoomError */
  leave(channelId: string, userId: string): Promise<void> {
    return this.counted(async () => {
      const room = await this.known(channelId);
      try {
        await this.seating.takeRole(room, userId);
      } catch (error) {
        throw toRoomError(error);
      }
      const after = await this.settings.store.update(channelId, (before) => vacate(before, userId));
      if (room.holders.includes(userId)) {
        this.settings.logger.info({ channelId, userId }, 'player left');
        this.emit('left', { room: after ?? room, userId });
      }
    });
  }

  /**
   * Ends a room: invites, channel, role. Safe to repeat, also after a failure half-way.
   *
   * @param by Who asks: the creator, or a moderator. Without it the app itself.
   * @throws RoomError
   */
  end(
    channelId: string,
    by?: { readonly userId: string; readonly isModerator?: boolean | undefined },
  ): Promise<RoomRecord> {
    return this.counted(async () => {
      const room = await this.known(channelId);
      if (by !== undefined && by.userId !== room.creatorId && by.isModerator !== true)
        throw new RoomError('ERR_ROOM_FORBIDDEN');
      return this.finish(room, 'requested');
    });
  }

  /** Keeps an empty room for another while. @throws RoomError */
  async keepOpen(channelId: string): Promise<void> {
    const room = await this.known(channelId);
    this.watches.get(channelId)?.dispatch({ type: 'keep' });
    this.settings.logger.info({ channelId: room.channelId }, 'room is kept open');
  }

  /** A room that is open, or ended a while ago; `undefined` for any other channel. */
  get(channelId: string): Promise<RoomRecord | undefined> {
    return this.settings.store.get(channelId);
  }

  /** Whether someone has a seat in an open room: what a hub's `authorize` asks for `channel:<id>`. */
  async isSeated(channelId: string, userId: string): Promise<boolean> {
    const room = await this.settings.store.get(channelId);
    return room?.state === 'open' && room.holders.includes(userId);
  }

  /** Open rooms. */
  async list(): Promise<readonly RoomRecord[]> {
    return (await this.settings.store.list()).filter(({ state }) => state === 'open');
  }

  /** Takes one of Discord's events. Bound: `gateway.onEvent('*', rooms.applyEvent)`. */
  readonly applyEvent = (event: DomainEvent): void => {
    const { guildId } = this.settings;
    if (event.payload.guildId !== guildId) return;
    this.voice.apply(event);
    if (event.event === 'voice.joined' || event.event === 'voice.moved') {
      const { userId, channelId } = event.payload;
      this.seating.settle(userId, channelId, true);
      this.watches.get(channelId)?.dispatch({ type: 'arrived' });
    }
    if (event.event === 'voice.snapshot') {
      for (const { userId, channelId } of event.payload.members) this.seating.settle(userId, channelId, true);
    }
    if (event.event === 'channel.deleted') {
      const { channelId } = event.payload;
      void this.settings.store
        .get(channelId)
        .then((room) => (room?.state === 'open' ? this.finish(room, 'deleted') : undefined))
        .catch((error: unknown) => this.failed(error, 'deleted room could not be cleaned up'));
    }
  };

  /** Compares what is known with what Discord has: adopts, finishes, removes. Safe at any time. */
  async reconcile(): Promise<Reconciliation> {
    const { store, guildId, clock, orphanGraceMs, rememberEndedMs, logger } = this.settings;
    const { rooms, orphanRoles, surplus } = await this.builder.inventory();
    const done = { adopted: 0, ended: 0, removed: 0 };
    for (const found of rooms) {
      if (this.building.has(found.marker)) continue;
      const known = await store.get(found.channelId);
      if (known === undefined) {
        if (await this.adopt(found)) done.adopted += 1;
      } else if (known.state !== 'open' && !this.ending.has(found.channelId)) {
        // Its end stopped half-way.
        await this.finish({ ...known, state: 'ending' }, 'recovered');
        done.ended += 1;
      } else this.watch(found.channelId);
    }
    for (const { channelId, roleId, marker } of surplus) {
      if (this.building.has(marker)) continue;
      await this.builder.removeChannel(channelId);
      if (!rooms.some((room) => room.roleId === roleId)) await this.builder.removeRole(roleId, guildId);
      done.removed += 1;
    }
    const now = clock.wallTime();
    for (const { roleId, marker } of orphanRoles) {
      const ageMs = now - Number((BigInt(roleId) >> 22n) + DISCORD_EPOCH);
      const room = await store.findByMarker(marker);
      if (room?.state === 'open') continue;
      if (this.building.has(marker) || (room === undefined && ageMs < orphanGraceMs)) continue;
      await this.builder.removeRole(roleId, guildId);
      done.removed += 1;
    }
    for (const room of await store.list()) {
      if (room.state === 'ended') {
        if (now - (room.endedAt ?? 0) > rememberEndedMs) await store.remove(room.channelId);
        continue;
      }
      const isThere = rooms.some(({ channelId }) => channelId === room.channelId);
      // A room that was made since Discord was asked is not missing.
      if (isThere || this.ending.has(room.channelId) || now - room.createdAt < orphanGraceMs) continue;
      await this.finish(room, 'recovered');
      done.ended += 1;
    }
    if (done.adopted + done.ended + done.removed > 0) logger.info({ ...done }, 'rooms reconciled with Discord');
    return done;
  }

  /** What was counted so far. */
  stats(): RoomStats {
    return { open: this.watches.size, ...this.counts, ended: { ...this.ended }, refused: { ...this.refused } };
  }

  /** Stops looking after rooms; they stay open. Idempotent. */
  async close(): Promise<void> {
    this.closed = true;
    this.settings.clock.clearTimer(this.sweeper);
    for (const watch of this.watches.values()) watch.stop();
    this.watches.clear();
    this.seating.close();
  }

  /** As {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // ─── creation ─────────────────────────────────────────────────────────────────────────────────────────────────

  private checkNew({ creatorId, name = 'Room', userLimit = 1, parentId, idempotencyKey = 'k' }: NewRoom): void {
    const { maxUserLimit } = this.settings;
    const isId = (value: string): boolean => /^[0-9]{1,20}$/.test(value);
    const fields = [
      ...(isId(creatorId) ? [] : [{ path: 'creatorId', message: 'must be a Discord id' }]),
      ...(cleanName(name) !== '' && name.length <= 100
        ? []
        : [{ path: 'name', message: 'must have 1 to 100 letters' }]),
      ...(Number.isSafeInteger(userLimit) && userLimit >= 1 && userLimit <= maxUserLimit
        ? []
        : [{ path: 'userLimit', message: `must be from 1 to ${maxUserLimit}` }]),
      ...(parentId === undefined || isId(parentId) ? [] : [{ path: 'parentId', message: 'must be a Discord id' }]),
      ...(idempotencyKey.length >= 1 && idempotencyKey.length <= 200
        ? []
        : [{ path: 'idempotencyKey', message: 'must have 1 to 200 letters' }]),
    ];
    if (fields.length > 0) throw new RoomError('ERR_ROOM_INPUT_INVALID', { fields });
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

  private async newestOf(creatorId: string, since: number): Promise<RoomRecord | undefined> {
    const rooms = await this.list();
    return rooms.find((room) => room.creatorId === creatorId && room.createdAt >= since - CREATE_CLAIM_MS);
  }

  private async make(input: NewRoom, marker: string): Promise<RoomRecord> {
    const { store, guildId, clock, maxUserLimit, maxRoomsPerCreator, logger } = this.settings;
    const { creatorId, name = 'Room', parentId, userLimit = maxUserLimit, idempotencyKey, accessToken } = input;
    const own = (await this.list()).filter((room) => room.creatorId === creatorId);
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
      const built = await this.builder.build(plan);
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
        await this.seating.giveRole(room, creatorId, accessToken);
      } catch (error) {
        // A room that its creator cannot enter is none.
        await this.builder
          .demolish(seat)
          .catch((cause: unknown) => this.failed(cause, 'half a room is left until the next sweep'));
        throw error;
      }
      await store.add(room);
      this.watch(room.channelId);
      this.counts.created += 1;
      logger.info({ channelId: room.channelId, creatorId }, 'room created');
      this.emit('created', { room });
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

  private async adopt({ channelId, roleId, marker, creatorId, name, userLimit }: FoundRoom): Promise<boolean> {
    const { store, guildId, clock, maxUserLimit, holdersOf, logger } = this.settings;
    const present = this.voice.membersOf(guildId, channelId).map(({ userId }) => userId);
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
    this.watch(channelId);
    if (isNew) logger.info({ channelId, creatorId }, 'room found in Discord');
    return isNew;
  }

  // ─── end ──────────────────────────────────────────────────────────────────────────────────────────────────────

  private finish(room: RoomRecord, cause: EndCause): Promise<RoomRecord> {
    const { channelId } = room;
    const running = this.ending.get(channelId);
    if (running !== undefined) return running;
    if (room.state === 'ended') return Promise.resolve(room);
    const run = this.finishOnce(room, cause).finally(() => this.ending.delete(channelId));
    this.ending.set(channelId, run);
    return run;
  }

  private async finishOnce(room: RoomRecord, cause: EndCause): Promise<RoomRecord> {
    const { store, invites, clock, logger } = this.settings;
    const { channelId } = room;
    // First of all nobody gets in any more.
    await store.update(channelId, (before) => ({ ...before, state: 'ending' }));
    await invites?.revokeRoom(channelId);
    try {
      await this.builder.demolish(room);
    } catch (error) {
      // Stays `ending`: the next sweep goes on.
      throw toRoomError(error);
    }
    const endedAt = clock.wallTime();
    const over: RoomRecord = { ...room, state: 'ended', holders: [], endedAt };
    await store.update(channelId, (before) => ({ ...before, state: 'ended', holders: [], endedAt }));
    this.watches.get(channelId)?.stop();
    this.watches.delete(channelId);
    this.ended[cause] += 1;
    logger.info({ channelId, cause }, 'room ended');
    this.emit('ended', { room: over, cause });
    return over;
  }

  // ─── emptiness ────────────────────────────────────────────────────────────────────────────────────────────────

  private watch(channelId: string): void {
    if (this.watches.has(channelId) || this.closed) return;
    const { clock, logger } = this.settings;
    const driver = createDriver<CleanupState, CleanupInput, CleanupEffect>({
      reducer: createCleanupReducer(this.settings),
      initial: newCleanup(this.settings, clock.now()),
      run: (effect) => this.runCleanup(channelId, effect),
      onEffectError: (error) => logger.error({ channelId, reason: messageOf(error) }, 'cleanup failed'),
      clock,
    });
    this.watches.set(channelId, driver);
  }

  private runCleanup(channelId: string, effect: CleanupEffect): void {
    const { store, logger } = this.settings;
    switch (effect.type) {
      case 'look':
        void this.isOccupied(channelId).then((occupied) =>
          this.watches.get(channelId)?.dispatch({ type: 'looked', occupied }),
        );
        return;
      case 'announce':
        void this.announce(channelId, effect.inMs).catch((error: unknown) =>
          this.failed(error, 'room.closing could not be published'),
        );
        return;
      case 'cancel':
        logger.info({ channelId }, 'room stays open');
        void store.get(channelId).then((room) => room !== undefined && this.emit('kept', { room }));
        return;
      case 'close':
        this.watches.delete(channelId);
        void store
          .get(channelId)
          .then((room) => (room === undefined ? undefined : this.finish(room, 'idle')))
          .catch((error: unknown) => this.failed(error, 'empty room could not be closed'));
    }
  }

  /** Every process looks after every room; one of them tells. */
  private async announce(channelId: string, inMs: number): Promise<void> {
    const { store, publish, clock, logger, guildId } = this.settings;
    const closesAt = clock.wallTime() + inMs;
    if ((await store.claim(`closing ${channelId}`, inMs)) === undefined) return;
    const room = await store.get(channelId);
    if (room?.state !== 'open') return;
    logger.info({ channelId, closesAt }, 'room is about to be closed');
    this.emit('closing', { room, closesAt });
    await publish?.(channelRoom(channelId), 'room.closing', { channelId, guildId, closesAt });
  }

  /** Who cannot be asked counts as there: a room must not be closed by a failure. */
  private async isOccupied(channelId: string): Promise<boolean> {
    const { guildId, viewersOf } = this.settings;
    if (!this.voice.knows(guildId)) return true;
    if (this.voice.membersOf(guildId, channelId).length > 0) return true;
    try {
      return (await viewersOf(channelId)) > 0;
    } catch (error) {
      this.failed(error, 'viewers could not be counted');
      return true;
    }
  }

  private sweepLater(): void {
    const { clock, lookEveryMs } = this.settings;
    if (this.closed) return;
    this.sweeper = clock.setTimer(() => {
      void this.reconcile()
        .catch((error: unknown) => this.failed(error, 'rooms could not be reconciled'))
        .then(() => this.sweepLater());
    }, lookEveryMs);
  }

  // ─── helpers ──────────────────────────────────────────────────────────────────────────────────────────────────

  private async known(channelId: string): Promise<RoomRecord> {
    const room = await this.settings.store.get(channelId);
    if (room === undefined) throw new RoomError('ERR_ROOM_UNKNOWN');
    return room;
  }

  private async counted<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (GuildkitError.is(error)) {
        this.refused[error.code] = (this.refused[error.code] ?? 0) + 1;
        this.settings.logger.warn(
          { code: error.code, reason: toLogText(messageOf(error.cause ?? error)) },
          'room request refused',
        );
      }
      throw error;
    }
  }

  private failed(error: unknown, message: string): void {
    this.settings.logger.error({ err: error, reason: toLogText(messageOf(error)) }, message);
  }
}

/** Discord refuses what is no letter; what is invisible helps nobody. */
function cleanName(name: string): string {
  return toLogText(String(name), 100).trim();
}

/** Says why an invite is refused, better than a room could. */
function isOfInvites(error: unknown): boolean {
  return GuildkitError.is(error) && error.code.startsWith('ERR_INVITE_');
}

function toRoomError(error: unknown): Error {
  if (RoomError.is(error)) return error;
  return new RoomError('ERR_ROOM_DISCORD_FAILED', { cause: error });
}
