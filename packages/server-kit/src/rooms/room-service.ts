/**
 * Owns the life of rooms: created once, joined by four, closed when nobody is there, nothing left behind in Discord by
 * whatever stops half-way.
 */
import { type DomainEvent, GuildkitError, messageOf, TypedEmitter, toLogText } from '@guildkit/core';
import { GuildState } from '../shared/guild-state.js';
import { RoomError, toRoomError } from './errors.js';
import { RoomBuilder } from './io/builder.js';
import { Creation } from './io/creation.js';
import { Emptiness } from './io/emptiness.js';
import { Endings } from './io/endings.js';
import type { Patience } from './io/patience.js';
import { type Placement, Seating } from './io/seating.js';
import { takeStock } from './io/stocktaking.js';
import { type RoomServiceOptions, type RoomSettings, resolveRoomOptions } from './options.js';
import { admit, vacate } from './protocol/capacity.js';
import type { RoomRecord } from './protocol/room.js';
import type { CreatedRoom, JoinRequest, NewRoom, Reconciliation, RoomServiceEvents, RoomStats } from './room-shapes.js';

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
  private readonly creation: Creation;
  private readonly endings: Endings;
  private readonly emptiness: Emptiness;
  private readonly counts = { created: 0, joined: 0 };
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
    const { builder, voice } = this;
    const seating = new Seating({ rest, patience, clock, logger, voice, moveTimeoutMs });
    this.seating = seating;
    const failed = (error: unknown, message: string): void => this.failed(error, message);
    this.creation = new Creation({
      settings,
      builder,
      seating,
      onCreated: (room) => {
        this.emptiness.watch(room.channelId);
        this.counts.created += 1;
        this.emit('created', { room });
      },
      failed,
    });
    this.endings = new Endings({
      settings,
      builder,
      onEnded: (room, cause) => {
        this.emptiness.forget(room.channelId);
        this.emit('ended', { room, cause });
      },
    });
    this.emptiness = new Emptiness({
      settings,
      voice,
      onClosing: (room, closesAt) => this.emit('closing', { room, closesAt }),
      onKept: (room) => this.emit('kept', { room }),
      end: (room) => this.endings.finish(room, 'idle'),
      failed,
    });
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
    return this.counted(() => this.creation.create(input));
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
      this.emptiness.tell(channelId, { type: 'arrived' });
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
      return this.endings.finish(room, 'requested');
    });
  }

  /** Keeps an empty room for another while. @throws RoomError */
  async keepOpen(channelId: string): Promise<void> {
    const room = await this.known(channelId);
    this.emptiness.tell(channelId, { type: 'keep' });
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
      this.emptiness.tell(channelId, { type: 'arrived' });
    }
    if (event.event === 'voice.snapshot') {
      for (const { userId, channelId } of event.payload.members) this.seating.settle(userId, channelId, true);
    }
    if (event.event === 'channel.deleted') {
      const { channelId } = event.payload;
      void this.settings.store
        .get(channelId)
        .then((room) => (room?.state === 'open' ? this.endings.finish(room, 'deleted') : undefined))
        .catch((error: unknown) => this.failed(error, 'deleted room could not be cleaned up'));
    }
  };

  /** Compares what is known with what Discord has: adopts, finishes, removes. Safe at any time. */
  reconcile(): Promise<Reconciliation> {
    const { settings, builder, voice, creation, endings } = this;
    const onOpen = (channelId: string): void => this.emptiness.watch(channelId);
    return takeStock({ settings, builder, voice, creation, endings, onOpen });
  }

  /** What was counted so far. */
  stats(): RoomStats {
    return { open: this.emptiness.size, ...this.counts, ended: this.endings.counts(), refused: { ...this.refused } };
  }

  /** Stops looking after rooms; they stay open. Idempotent. */
  async close(): Promise<void> {
    this.closed = true;
    this.settings.clock.clearTimer(this.sweeper);
    this.emptiness.close();
    this.seating.close();
  }

  /** As {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
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

/** Says why an invite is refused, better than a room could. */
function isOfInvites(error: unknown): boolean {
  return GuildkitError.is(error) && error.code.startsWith('ERR_INVITE_');
}
