/** Owns the commands that a game room needs of Discord: their inputs, their roles, and what each does over REST. */
import { toPlainText } from '@guildkit/core';
import * as z from 'zod';
import { type CommandContext, type CommandDefinition, defineCommand } from './definition.js';

const snowflake = z.string().regex(/^[0-9]{1,20}$/, 'must be a snowflake');
const content = z
  .string()
  .max(2_000)
  .transform((text) => toPlainText(text))
  .refine((text) => text.trim() !== '', 'must not be empty');
const emoji = z.string().regex(/^[^\u0000-\u001f\u007f/?#\s]{1,64}$/, 'must be an emoji, or name:id of a custom one');
const inChannel = { channelId: snowflake };
const onMessage = { channelId: snowflake, messageId: snowflake };

/** Every command's input. */
const INPUTS = {
  sendMessage: z.object({ ...inChannel, content, replyTo: snowflake.optional() }),
  editMessage: z.object({ ...onMessage, content }),
  deleteMessage: z.object(onMessage),
  addReaction: z.object({ ...onMessage, emoji }),
  typingStart: z.object(inChannel),
  rejoinVoice: z.object(inChannel),
  ackDropout: z.object(inChannel),
  keepRoomOpen: z.object(inChannel),
  moveMember: z.object({ userId: snowflake, channelId: snowflake }),
  muteMember: z.object({ userId: snowflake, mute: z.boolean() }),
  disconnectMember: z.object({ userId: snowflake }),
} as const satisfies Record<DiscordCommandName, z.ZodType>;

/** Name of a command of {@link createDiscordCommands}. */
export type DiscordCommandName =
  | 'sendMessage'
  | 'editMessage'
  | 'deleteMessage'
  | 'addReaction'
  | 'typingStart'
  | 'rejoinVoice'
  | 'ackDropout'
  | 'keepRoomOpen'
  | 'moveMember'
  | 'muteMember'
  | 'disconnectMember';

/** The role that each wants unless said otherwise. */
const ROLES: Readonly<Record<DiscordCommandName, readonly string[]>> = {
  sendMessage: ['chat:write'],
  editMessage: ['chat:write'],
  deleteMessage: ['chat:write'],
  addReaction: ['chat:write'],
  typingStart: ['chat:write'],
  rejoinVoice: ['voice:join'],
  ackDropout: [],
  keepRoomOpen: [],
  moveMember: ['voice:moderate'],
  muteMember: ['voice:moderate'],
  disconnectMember: ['voice:moderate'],
};

/** What every call to REST is given. */
export interface DiscordCommandCall {
  /** Fires when nobody waits for the result any more. */
  readonly signal?: AbortSignal | undefined;
  /** For Discord's audit log. */
  readonly reason?: string | undefined;
}

/** The few methods of `DiscordRestClient` that are called. */
export interface DiscordCommandRest {
  /** Posts a message. */
  sendMessage(
    channelId: string,
    message: { readonly content: string; readonly replyTo?: string | undefined },
    options: DiscordCommandCall,
  ): Promise<{ readonly id: string }>;
  /** Changes a message of the bot. */
  editMessage(
    channelId: string,
    messageId: string,
    edit: { readonly content: string },
    options: DiscordCommandCall,
  ): Promise<unknown>;
  /** Deletes a message. */
  deleteMessage(channelId: string, messageId: string, options: DiscordCommandCall): Promise<unknown>;
  /** Reacts as the bot. */
  createReaction(channelId: string, messageId: string, emoji: string, options: DiscordCommandCall): Promise<unknown>;
  /** Shows for ten seconds that the bot types. */
  triggerTypingIndicator(channelId: string, options: DiscordCommandCall): Promise<unknown>;
  /** Moves someone to another voice channel. */
  moveMember(
    move: { readonly userId: string; readonly channelId: string },
    options: DiscordCommandCall,
  ): Promise<unknown>;
  /** Mutes someone in voice, or takes it back. */
  modifyGuildMember(
    edit: { readonly userId: string; readonly mute: boolean },
    options: DiscordCommandCall,
  ): Promise<unknown>;
  /** Takes someone out of voice. */
  disconnectMember(member: { readonly userId: string }, options: DiscordCommandCall): Promise<unknown>;
}

type InputOf<Name extends DiscordCommandName> = z.output<(typeof INPUTS)[Name]>;

/** Settings of {@link createDiscordCommands}. */
export interface DiscordCommandsOptions {
  /** Carries them out in this process. Without it they go to the bus's link. */
  readonly rest?: DiscordCommandRest | undefined;
  /** Roles by command, where they are not the default. */
  readonly roles?: Partial<Readonly<Record<DiscordCommandName, readonly string[]>>> | undefined;
  /**
   * Whether a user may do this in a channel, or with a user: for instance, whether they are in the room. Anything but
   * `true` is a no. For `editMessage` and `deleteMessage` it has to say whose message it is: the bot may change its own.
   */
  readonly allow: (
    name: DiscordCommandName,
    input: Readonly<Record<string, unknown>>,
    context: CommandContext,
  ) => boolean | Promise<boolean>;
  /** Brings a player back into voice. @defaultValue `rest.moveMember` */
  readonly rejoinVoice?: ((input: { readonly channelId: string }, context: CommandContext) => unknown) | undefined;
  /** A player has seen that someone dropped out. @defaultValue the command is not served */
  readonly ackDropout?: ((input: { readonly channelId: string }, context: CommandContext) => unknown) | undefined;
  /** A player wants the room to stay. @defaultValue the command is not served */
  readonly keepRoomOpen?: ((input: { readonly channelId: string }, context: CommandContext) => unknown) | undefined;
}

type Runs = {
  readonly [Name in DiscordCommandName]?: ((input: InputOf<Name>, context: CommandContext) => unknown) | undefined;
};

/** The commands of a game room, for {@link CommandBus}: chat, coming back into voice, moderation. */
export function createDiscordCommands(options: DiscordCommandsOptions): Readonly<Record<string, CommandDefinition>> {
  const { rest, roles, allow, rejoinVoice, ackDropout, keepRoomOpen } = options;
  if (typeof allow !== 'function') throw new TypeError('createDiscordCommands: option "allow" must be a function');
  const runs: Runs = {
    ...(rest === undefined ? {} : restRuns(rest)),
    ...(rejoinVoice && { rejoinVoice }),
    ackDropout,
    keepRoomOpen,
  };
  const commands: Record<string, CommandDefinition> = {};
  for (const name of Object.keys(INPUTS) as DiscordCommandName[]) {
    const run = runs[name] as ((input: unknown, context: CommandContext) => unknown) | undefined;
    const isOfApp = name === 'ackDropout' || name === 'keepRoomOpen';
    if (run === undefined && (rest !== undefined || isOfApp)) continue;
    commands[name] = defineCommand<Readonly<Record<string, unknown>>>({
      input: INPUTS[name],
      roles: roles?.[name] ?? ROLES[name],
      channel: ({ channelId }) => (typeof channelId === 'string' ? channelId : undefined),
      allow: (input, context) => allow(name, input, context),
      run,
    });
  }
  return commands;
}

function restRuns(rest: DiscordCommandRest): Runs {
  // Discord's audit log says who asked: the bot alone would be named otherwise.
  const call = ({ signal, principal }: CommandContext): DiscordCommandCall => ({
    signal,
    reason: `asked by ${principal.userId}`,
  });
  return {
    sendMessage: async ({ channelId, content: text, replyTo }, { signal }) => {
      const message = replyTo === undefined ? { content: text } : { content: text, replyTo };
      const { id } = await rest.sendMessage(channelId, message, { signal });
      return { messageId: id };
    },
    editMessage: async ({ channelId, messageId, content: text }, { signal }) => {
      await rest.editMessage(channelId, messageId, { content: text }, { signal });
    },
    deleteMessage: async ({ channelId, messageId }, context) => {
      await rest.deleteMessage(channelId, messageId, call(context));
    },
    addReaction: async ({ channelId, messageId, emoji: which }, { signal }) => {
      await rest.createReaction(channelId, messageId, which, { signal });
    },
    typingStart: async ({ channelId }, { signal }) => {
      await rest.triggerTypingIndicator(channelId, { signal });
    },
    rejoinVoice: async ({ channelId }, context) => {
      await rest.moveMember({ userId: context.principal.userId, channelId }, call(context));
    },
    moveMember: async (move, context) => {
      await rest.moveMember(move, call(context));
    },
    muteMember: async (edit, context) => {
      await rest.modifyGuildMember(edit, call(context));
    },
    disconnectMember: async (member, context) => {
      await rest.disconnectMember(member, call(context));
    },
  };
}
