/**
 * Owns the routes about application commands: they are accepted, kept and listed, and never invoked (Discord docs,
 * Application Commands).
 */
import {
  type APIApplicationCommand,
  type APIApplicationCommandOption,
  ApplicationCommandType,
} from 'discord-api-types/v10';
import * as z from 'zod';
import { choice, flag, form, list, permissions, readForm, text } from '../rest/form.js';
import { created, done, failure, invalidForm, ok, type Reply, unknown } from '../rest/reply.js';
import type { RestContext, Route } from '../rest/router.js';

const LIMIT = { limit: 5, windowMs: 20_000 } as const;
/** Of each type, globally and in a guild. */
const MAX_COMMANDS = 100;
const MAX_OPTIONS = 25;

const command = form({
  name: text(1, 32),
  description: text(0, 100).nullish(),
  type: choice([1, 2, 3] as const).nullish(),
  options: list(
    z.looseObject({ type: z.int(), name: text(1, 32), description: text(0, 100).nullish() }),
    MAX_OPTIONS,
  ).nullish(),
  default_member_permissions: permissions().nullish(),
  nsfw: flag().nullish(),
});
const change = command.partial();

type CommandForm = z.output<typeof change>;

const APP = '/applications/:applicationId';

/** The same six routes for global commands and for those of a guild. */
const routesUnder = (base: string, where: string): readonly Route[] => [
  {
    method: 'GET',
    path: `${base}/commands`,
    summary: `Commands ${where}`,
    auth: 'bot',
    limit: LIMIT,
    handle: own((context) => ok(commandsOf(context))),
  },
  {
    method: 'POST',
    path: `${base}/commands`,
    summary: `Create a command ${where}, or replace the one of its name`,
    auth: 'bot',
    limit: LIMIT,
    handle: own((context) => {
      const read = readForm(command, context.body);
      if (!read.ok) return invalidForm(read.problems);
      const former = named(context, read.value);
      if (former === undefined && commandsOf(context).length >= MAX_COMMANDS) return tooMany();
      const made = build(context, { ...read.value, name: read.value.name }, former?.id);
      context.bot.commands.set(made.id, made);
      return former === undefined ? created(made) : ok(made);
    }),
  },
  {
    method: 'PUT',
    path: `${base}/commands`,
    summary: `Replace all commands ${where}`,
    auth: 'bot',
    limit: LIMIT,
    handle: own((context) => {
      const read = readForm(list(command, MAX_COMMANDS), context.body);
      if (!read.ok) return invalidForm(read.problems);
      // Those that stay keep their ids.
      const made = read.value.map((input) => build(context, input, named(context, input)?.id));
      for (const former of commandsOf(context)) context.bot.commands.delete(former.id);
      for (const it of made) context.bot.commands.set(it.id, it);
      return ok(commandsOf(context));
    }),
  },
  {
    method: 'GET',
    path: `${base}/commands/:commandId`,
    summary: `A command ${where}`,
    auth: 'bot',
    limit: LIMIT,
    handle: own((context) => {
      const found = find(context);
      return found === undefined ? unknown('Command') : ok(found);
    }),
  },
  {
    method: 'PATCH',
    path: `${base}/commands/:commandId`,
    summary: `Change a command ${where}`,
    auth: 'bot',
    limit: LIMIT,
    handle: own((context) => {
      const read = readForm(change, context.body ?? {});
      if (!read.ok) return invalidForm(read.problems);
      const former = find(context);
      if (former === undefined) return unknown('Command');
      const made = { ...former, ...changed(context, read.value), id: former.id };
      context.bot.commands.set(made.id, made);
      return ok(made);
    }),
  },
  {
    method: 'DELETE',
    path: `${base}/commands/:commandId`,
    summary: `Delete a command ${where}`,
    auth: 'bot',
    limit: LIMIT,
    handle: own((context) => {
      const found = find(context);
      if (found === undefined) return unknown('Command');
      context.bot.commands.delete(found.id);
      return done();
    }),
  },
];

export const commandRoutes: readonly Route[] = [
  ...routesUnder(APP, 'everywhere'),
  ...routesUnder(`${APP}/guilds/:guildId`, 'of one guild'),
];

/** An application manages its own commands only. */
function own(handle: (context: RestContext) => Reply): (context: RestContext) => Reply {
  return (context) =>
    context.params.applicationId === context.bot.id
      ? handle(context)
      : failure(403, 20012, 'You are not authorized to perform this action on this application');
}

const commandsOf = ({ bot, params }: RestContext): APIApplicationCommand[] =>
  [...bot.commands.values()].filter(({ guild_id: guildId }) => guildId === params.guildId);

const find = (context: RestContext): APIApplicationCommand | undefined =>
  commandsOf(context).find(({ id }) => id === context.params.commandId);

const named = (context: RestContext, { name, type }: CommandForm): APIApplicationCommand | undefined =>
  commandsOf(context).find((it) => it.name === name && it.type === (type ?? ApplicationCommandType.ChatInput));

function build(
  context: RestContext,
  input: CommandForm & { readonly name: string },
  id?: string,
): APIApplicationCommand {
  const { world, bot, params } = context;
  return {
    id: id ?? world.ids.next(),
    application_id: bot.id,
    version: world.ids.next(),
    type: ApplicationCommandType.ChatInput,
    description: '',
    default_member_permissions: null,
    nsfw: false,
    ...(params.guildId === undefined ? {} : { guild_id: params.guildId }),
    ...changed(context, input),
    name: input.name,
  };
}

/** What a body says of a command; what it leaves out is left out. */
function changed({ world }: RestContext, input: CommandForm): Partial<APIApplicationCommand> {
  const { name, description, type, options, default_member_permissions: needed, nsfw } = input;
  return {
    version: world.ids.next(),
    ...(name === undefined ? {} : { name }),
    ...(description == null ? {} : { description }),
    ...(type == null ? {} : { type: type as ApplicationCommandType }),
    ...(options == null ? {} : { options: options as unknown as APIApplicationCommandOption[] }),
    ...(needed === undefined ? {} : { default_member_permissions: needed }),
    ...(nsfw == null ? {} : { nsfw }),
  };
}

const tooMany = (): Reply => failure(400, 30032, `Maximum number of application commands reached (${MAX_COMMANDS})`);
