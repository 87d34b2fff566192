/** Owns voice and video of pages: the relay that they connect to, and the seats that speak for them. */
import type { DomainEvent, Logger } from '@guildkit/core';
import { parseRoom } from '@guildkit/core/wire';
import type { Sandbox } from '@guildkit/sandbox';
import { type AuthContext, MediaRelay, type Origins, type Principal } from '@guildkit/server-kit/media';
import type { People } from './people.js';
import { createPresence, type Presence } from './presence.js';
import type { SeatedBot, SeatLeases } from './seat-leases.js';
import { createSeatPool } from './seat-pool.js';
import { createVoiceSeat } from './voice-seat.js';

export interface SeatsOptions {
  readonly guildId: string;
  readonly apiBase: string | undefined;
  /** Of the bots that speak for players. The sandbox makes its own. */
  readonly tokens: readonly string[];
  readonly sandbox: Sandbox | undefined;
  readonly people: People;
  readonly origins: Origins;
  readonly authenticate: (context: AuthContext) => Principal | null | Promise<Principal | null>;
  /** Whether somebody may speak in a channel. */
  readonly allows: (userId: string, channelId: string) => Promise<boolean>;
  /** The seats of a channel have changed. */
  readonly onSeats?: ((channelId: string) => void) | undefined;
  /** A player has taken a seat here: one that they have in another process is over. */
  readonly onTaken?: ((userId: string, channelId: string) => void) | undefined;
  /** Where several processes share the bots. */
  readonly leases?: SeatLeases | undefined;
  readonly logger: Logger;
}

export interface Seats {
  readonly relay: MediaRelay;
  /** How many seats there are. */
  readonly size: number;
  /** Who is in voice, with players in the place of their seats. */
  readonly presence: Presence;
  /** For whom the bots in an event speak. */
  seatedIn(event: DomainEvent): readonly SeatedBot[];
  /** A player got up from the table of a room. */
  getUp(userId: string, channelId: string): void;
  /** Ends what a player has in a room. */
  end(userId: string, channelId: string): void;
  /** Closes the pages' connections, then the seats. */
  close(): Promise<void>;
}

/** Bots that a sandbox makes at most. */
const SANDBOX_SEATS = 25;

export function createSeats(options: SeatsOptions): Seats {
  const { guildId, apiBase, tokens, sandbox, people, origins, authenticate, allows, onSeats, onTaken, leases, logger } =
    options;
  const size = sandbox === undefined ? tokens.length : SANDBOX_SEATS;
  const tokenOf = async (index: number): Promise<string> =>
    sandbox === undefined
      ? (tokens[index] as string)
      : (await sandbox.bots.create({ name: `Seat ${index + 1}` })).token;
  const pool = createSeatPool({
    size,
    open: async (index) => createVoiceSeat({ token: await tokenOf(index), guildId, apiBase, logger }),
    leases,
    logger,
  });
  const relay = new MediaRelay({
    origins,
    authenticate,
    async takeSeat({ userId }, { url }) {
      const room = parseRoom(new URL(url, 'http://app').searchParams.get('room') ?? '');
      if (room?.kind !== 'channel' || !(await allows(userId, room.id))) return null;
      const player = (await people.find(userId)) ?? { userId, username: 'Player', avatar: null };
      const seat = await pool.take({ player, channelId: room.id });
      if (seat !== null) onTaken?.(userId, room.id);
      return seat;
    },
    releaseSeat: (seat) => pool.release(seat),
    logger,
  });

  return {
    relay,
    size,
    presence: createPresence({ playerOf: (discordId) => pool.playerOf(discordId), onSeats }),
    seatedIn({ event, payload }) {
      if (!event.startsWith('voice.')) return [];
      const people = 'members' in payload ? payload.members : 'userId' in payload ? [payload] : [];
      return people.flatMap(({ userId }) => {
        const player = pool.playerOf(userId);
        return player === undefined ? [] : [{ seatUserId: userId, player }];
      });
    },
    getUp: (userId, channelId) => pool.getUp(userId, channelId),
    end: (userId, channelId) => pool.end(userId, channelId),
    async close() {
      await relay.close();
      await pool.close();
    },
  };
}
