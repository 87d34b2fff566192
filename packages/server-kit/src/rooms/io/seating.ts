/** Owns bringing a player in: into the guild, into the role, into the channel. */
import { type Clock, type Logger, messageOf } from '@guildkit/core';
import type { GuildState } from '../../shared/guild-state.js';
import { RoomError } from '../errors.js';
import type { RoomRecord } from '../protocol/room.js';
import { type RoomRest, statusOf } from '../room-rest.js';
import { goneIsFine } from './builder.js';
import { type Patience, patiently } from './patience.js';

/** How a player got in. */
export interface Placement {
  /** `present`: was there already. `moved`: was in another voice channel. `link`: has to open `url`. */
  readonly how: 'present' | 'moved' | 'link';
  /** Opens the channel in Discord. */
  readonly url: string;
}

/** What seating needs. */
export interface SeatingOptions {
  readonly rest: RoomRest;
  readonly patience: Patience;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly voice: GuildState;
  /** How long a move may take until Discord says so, in ms. */
  readonly moveTimeoutMs: number;
}

interface Waiter {
  readonly channelId: string;
  readonly userId: string;
  done(arrived: boolean): void;
}

const REASON = { reason: 'room' };

/** Brings players in. */
export class Seating {
  private readonly waiters = new Set<Waiter>();

  constructor(private readonly options: SeatingOptions) {}

  /** Gives the role; adds who is not in the guild when their token allows it. */
  async giveRole({ guildId, roleId }: RoomRecord, userId: string, accessToken: string | undefined): Promise<void> {
    const { rest, patience } = this.options;
    try {
      await patiently(patience, () => rest.addGuildMemberRole({ guildId, userId, roleId }, REASON));
    } catch (error) {
      // Unknown member. Unknown roles answer 404 too: adding the member says which.
      if (statusOf(error) !== 404) throw error;
      if (accessToken === undefined) throw new RoomError('ERR_ROOM_MEMBERSHIP_REQUIRED', { cause: error });
      await patiently(patience, () => rest.addGuildMember({ guildId, userId, accessToken, roles: [roleId] })).catch(
        (cause: unknown) => {
          const status = statusOf(cause);
          // Banned, or the token lacks guilds.join: 403 and 400 of Discord, neither of them ours.
          if (status === 400 || status === 401 || status === 403)
            throw new RoomError('ERR_ROOM_MEMBERSHIP_REQUIRED', { cause });
          throw cause;
        },
      );
      // Somebody who joined a moment ago by another way has no role from that call: it changes no member.
      await patiently(patience, () => rest.addGuildMemberRole({ guildId, userId, roleId }, REASON));
    }
  }

  /** Takes the role back. */
  async takeRole({ guildId, roleId }: RoomRecord, userId: string): Promise<void> {
    const { rest, patience } = this.options;
    await patiently(patience, () => goneIsFine(rest.removeGuildMemberRole({ guildId, userId, roleId }, REASON)));
  }

  /** Moves who is in voice; whoever is not gets an address to open. */
  async place({ guildId, channelId }: RoomRecord, userId: string): Promise<Placement> {
    const { rest, voice, patience, logger, moveTimeoutMs } = this.options;
    const url = `https://discord.com/channels/${guildId}/${channelId}`;
    const where = voice.whereIs(guildId, userId);
    if (where === channelId) return { how: 'present', url };
    if (where === undefined) return { how: 'link', url };
    try {
      return await patiently(patience, async () => {
        const arrival = this.arrival(channelId, userId, moveTimeoutMs);
        try {
          await rest.moveMember({ guildId, userId, channelId }, REASON);
        } catch (error) {
          this.settle(userId, channelId, false);
          throw error;
        }
        if (!(await arrival) && voice.whereIs(guildId, userId) !== channelId) throw new Error('the move was not seen');
        return { how: 'moved', url } as const;
      });
    } catch (error) {
      // They left voice meanwhile, or the move does not work: they can still go there themselves.
      logger.warn({ userId, channelId, reason: messageOf(error) }, 'player could not be moved');
      return { how: 'link', url };
    }
  }

  /** Resolves to whether someone was seen in a channel within the time. */
  arrival(channelId: string, userId: string, withinMs: number, signal?: AbortSignal): Promise<boolean> {
    const { clock } = this.options;
    return new Promise((resolve) => {
      const done = (arrived: boolean): void => {
        this.waiters.delete(waiter);
        clock.clearTimer(timer);
        signal?.removeEventListener('abort', onAbort);
        resolve(arrived);
      };
      const onAbort = (): void => done(false);
      const waiter: Waiter = { channelId, userId, done };
      const timer = clock.setTimer(() => done(false), withinMs);
      this.waiters.add(waiter);
      if (signal?.aborted === true) done(false);
      else signal?.addEventListener('abort', onAbort);
    });
  }

  /** Someone was seen in a channel (`true`), or will not be. */
  settle(userId: string, channelId: string, arrived: boolean): void {
    for (const waiter of [...this.waiters]) {
      if (waiter.userId === userId && waiter.channelId === channelId) waiter.done(arrived);
    }
  }

  /** Nobody waits any longer. */
  close(): void {
    for (const waiter of [...this.waiters]) waiter.done(false);
  }
}
