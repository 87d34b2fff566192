/** Owns what a page may ask for over its connection: chat, coming back into voice, keeping a room open, moderation. */
import type { Logger } from '@guildkit/core';
import type { DiscordRestClient } from '@guildkit/rest';
import {
  CommandBus,
  type CommandLink,
  createDiscordCommands,
  createTokenBucket,
  defineCommand,
} from '@guildkit/server-kit/commands';
import type { RoomService } from '@guildkit/server-kit/rooms';
import * as z from 'zod';
import type { Chat } from './chat.js';
import { overLink, overRest } from './command-ways.js';
import { createModeration, type Moderation } from './moderation.js';
import type { Seats } from './seats.js';
import type { Stores } from './stores.js';

const snowflake = z.string().regex(/^[0-9]{1,20}$/);
/** Discord takes 2000 characters; the mention of who says it is among them. */
const content = z.string().trim().min(1).max(1_900);

export interface CommandsOptions {
  readonly rest: DiscordRestClient;
  readonly rooms: RoomService;
  readonly chat: Chat;
  /** Whether somebody has a seat in the channel's room. */
  readonly isIn: (userId: string, channelId: string) => Promise<boolean>;
  /** Whether somebody may be in a channel. */
  readonly maySee: (userId: string, channelId: string) => Promise<boolean>;
  /** Whether a message is somebody's. */
  readonly isBy: (userId: string, message: { channelId: string; messageId: string }) => Promise<boolean>;
  readonly seats: Pick<Seats, 'presence'>;
  /** Ends what a player has at the table of a channel. */
  readonly endSeat: (userId: string, channelId: string) => void;
  /** A player keeps a room that is empty. */
  readonly onKept: (channelId: string) => void;
  /** Where answers and limits are kept. */
  readonly stores: Pick<Stores, 'answers' | 'buckets'>;
  /** To the worker that carries them out; without it they go over `rest`. */
  readonly link: CommandLink | undefined;
  readonly logger: Logger;
}

export function createCommands(options: CommandsOptions): {
  readonly bus: CommandBus;
  readonly moderation: Moderation;
} {
  const { rest, rooms, chat, isIn, isBy, maySee, seats, endSeat, onKept, stores, link, logger } = options;
  const carryOut = link === undefined ? overRest(rest) : overLink(link);
  // Who may moderate is a matter of the room, not of a role: its host may.
  const moderation = createModeration({
    rooms,
    presence: seats.presence,
    maySee,
    carryOut,
    setMute: (userId, mute) => rest.modifyGuildMember({ userId, mute }, { reason: 'as the host of the room asked' }),
    endSeat,
    logger,
  });
  const commands = createDiscordCommands({
    ...(link === undefined && { rest }),
    async allow(name, input, { principal }) {
      const { userId } = principal;
      if (!(await isIn(userId, String(input.channelId)))) return false;
      const isOfOneself = name === 'editMessage' || name === 'deleteMessage';
      const message = { channelId: String(input.channelId), messageId: String(input.messageId) };
      return !isOfOneself || isBy(userId, message);
    },
    async rejoinVoice({ channelId }, { principal }) {
      const { placement } = await rooms.join({ channelId, userId: principal.userId });
      return placement;
    },
    async keepRoomOpen({ channelId }) {
      await rooms.keepOpen(channelId);
      onKept(channelId);
    },
    ackDropout: () => undefined,
  });
  const inRoom = (
    { channelId }: { readonly channelId: string },
    context: { readonly principal: { readonly userId: string } },
  ) => isIn(context.principal.userId, channelId);
  const bus = new CommandBus({
    commands: {
      ...commands,
      ...moderation.commands,
      sendMessage: defineCommand({
        input: z.object({ channelId: snowflake, content }),
        roles: ['chat:write'],
        channel: ({ channelId }) => channelId,
        allow: inRoom,
        run: ({ channelId, content: text }, context) =>
          carryOut('sendMessage', { channelId, content: chat.outgoing(context.principal.userId, text) }, context),
      }),
      editMessage: defineCommand({
        input: z.object({ channelId: snowflake, messageId: snowflake, content }),
        roles: ['chat:write'],
        channel: ({ channelId }) => channelId,
        allow: async (input, context) => (await inRoom(input, context)) && isBy(context.principal.userId, input),
        run: ({ channelId, messageId, content: text }, context) =>
          carryOut(
            'editMessage',
            { channelId, messageId, content: chat.outgoing(context.principal.userId, text) },
            context,
          ),
      }),
      addReaction: defineCommand({
        input: z.object({ channelId: snowflake, messageId: snowflake, emoji: z.string().min(1).max(64) }),
        roles: ['chat:write'],
        channel: ({ channelId }) => channelId,
        allow: inRoom,
        async run({ channelId, messageId, emoji }, context) {
          await chat.expect('reaction', `${messageId} ${emoji}`, context.principal.userId);
          return carryOut('addReaction', { channelId, messageId, emoji }, context);
        },
      }),
      typingStart: defineCommand({
        input: z.object({ channelId: snowflake }),
        roles: ['chat:write'],
        channel: ({ channelId }) => channelId,
        allow: inRoom,
        async run({ channelId }, context) {
          await chat.expect('typing', channelId, context.principal.userId);
          return carryOut('typingStart', { channelId }, context);
        },
      }),
    },
    link,
    answers: stores.answers,
    userBucket: createTokenBucket({ store: stores.buckets }),
    channelBucket: createTokenBucket({ store: stores.buckets }),
    audit: (entry) => logger.info({ ...entry }, 'command of a player'),
    logger,
  });
  return { bus, moderation };
}
