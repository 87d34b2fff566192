/**
 * Owns what a room's host may do with the people in it: mute, take out of voice, move. Whoever is there by Discord and by a
 * seat is one player: both are meant. Refuses to reach anybody who is elsewhere.
 */
import { type DomainEvent, type Logger, messageOf } from '@guildkit/core';
import { type CommandContext, type CommandDefinition, defineCommand } from '@guildkit/server-kit/commands';
import type { RoomService } from '@guildkit/server-kit/rooms';
import * as z from 'zod';
import type { CarryOut } from './command-ways.js';
import type { Presence, Way } from './presence.js';

const snowflake = z.string().regex(/^[0-9]{1,20}$/);

export interface ModerationOptions {
  readonly rooms: Pick<RoomService, 'get'>;
  readonly presence: Pick<Presence, 'waysOf' | 'shownAs'>;
  /** Whether somebody may be in a channel: nobody is moved into a room of others. */
  readonly maySee: (userId: string, channelId: string) => Promise<boolean>;
  readonly carryOut: CarryOut;
  /** Mutes an account in Discord, or takes it back, without anybody having asked. */
  readonly setMute: (discordId: string, mute: boolean) => Promise<unknown>;
  /** Ends what a player has at the table of a channel. */
  readonly endSeat: (userId: string, channelId: string) => void;
  readonly logger: Logger;
}

export interface Moderation {
  readonly commands: Readonly<Record<string, CommandDefinition>>;
  /** Whether a player is muted in a room because its host said so. */
  isMuted(userId: string, channelId: string): boolean;
  /**
   * Keeps a host's mute to the host's room and to the player whom it met: Discord mutes an account on the whole server, and a
   * seat has another player next time. Called when `presence` knows of the event.
   */
  apply(event: DomainEvent): void;
}

/** Mutes that are remembered. */
const MAX_MUTES = 1_000;

export function createModeration(options: ModerationOptions): Moderation {
  const { rooms, presence, maySee, carryOut, setMute, endSeat, logger } = options;
  /** In which room a host has muted a player. */
  const wishes = new Map<string, string>();
  /** The accounts that are muted in Discord because of it. */
  const muted = new Set<string>();

  function wish(userId: string, channelId: string, mute: boolean): void {
    wishes.delete(userId);
    if (!mute) return;
    wishes.set(userId, channelId);
    const [oldest] = wishes.keys();
    if (wishes.size > MAX_MUTES && oldest !== undefined) wishes.delete(oldest);
  }
  const note = (discordId: string, mute: boolean): unknown => (mute ? muted.add(discordId) : muted.delete(discordId));

  async function waysUnder(hostId: string, userId: string): Promise<readonly Way[]> {
    const found: Way[] = [];
    for (const way of presence.waysOf(userId)) {
      const room = await rooms.get(way.channelId);
      if (room?.state === 'open' && room.creatorId === hostId) found.push(way);
    }
    return found;
  }

  const isUnder = async ({ userId }: { readonly userId: string }, { principal }: CommandContext): Promise<boolean> =>
    (await waysUnder(principal.userId, userId)).length > 0;

  const toEach = async (
    name: 'muteMember' | 'moveMember' | 'disconnectMember',
    input: { readonly userId: string },
    context: CommandContext,
    after: (way: Way) => void = () => {},
  ): Promise<void> => {
    for (const way of await waysUnder(context.principal.userId, input.userId)) {
      // Its player's page would talk to a channel that it does not show.
      if (name === 'moveMember' && way.isSeat) endSeat(input.userId, way.channelId);
      else await carryOut(name, { ...input, userId: way.discordId }, context);
      after(way);
    }
  };

  return {
    commands: {
      muteMember: defineCommand({
        input: z.object({ userId: snowflake, mute: z.boolean() }),
        allow: isUnder,
        run: (input, context) =>
          toEach('muteMember', input, context, ({ discordId, channelId }) => {
            wish(presence.shownAs(discordId), channelId, input.mute);
            note(discordId, input.mute);
          }),
      }),
      disconnectMember: defineCommand({
        input: z.object({ userId: snowflake }),
        allow: isUnder,
        run: (input, context) => toEach('disconnectMember', input, context),
      }),
      moveMember: defineCommand({
        input: z.object({ userId: snowflake, channelId: snowflake }),
        channel: ({ channelId }) => channelId,
        async allow({ userId, channelId }, { principal }) {
          const ways = await waysUnder(principal.userId, userId);
          // Of a seat's own id: a seat is not moved.
          if (!ways.some(({ isSeat }) => !isSeat)) return false;
          return (await maySee(principal.userId, channelId)) && (await maySee(userId, channelId));
        },
        run: (input, context) => toEach('moveMember', input, context),
      }),
    },
    isMuted: (userId, channelId) => wishes.get(userId) === channelId,
    apply(event) {
      if (event.event !== 'voice.joined' && event.event !== 'voice.moved') return;
      const { userId: discordId, channelId } = event.payload;
      const mute = wishes.get(presence.shownAs(discordId)) === channelId;
      if (mute === muted.has(discordId)) return;
      note(discordId, mute);
      setMute(discordId, mute).catch((error: unknown) =>
        logger.warn({ userId: discordId, mute, reason: messageOf(error) }, 'a mute could not be carried along'),
      );
    },
  };
}
