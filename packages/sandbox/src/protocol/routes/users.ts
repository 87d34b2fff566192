/** Owns the routes about users, their guilds and conversations, and a bot's application. */
import { GatewayDispatchEvents } from 'discord-api-types/v10';
import { dmPayload, memberPayload, ownUserPayload, userPayload } from '../payloads/guild.js';
import { applicationPayload } from '../payloads/ready.js';
import { form, integer, readForm, snowflake, text } from '../rest/form.js';
import { done, failure, invalidForm, ok, type Reply, unknown } from '../rest/reply.js';
import type { RestContext, Route } from '../rest/router.js';
import { guildPermissions } from '../world/access.js';
import { worldEvent } from '../world/events.js';
import { removeMember } from '../world/members.js';
import { openDm } from '../world/places.js';
import { userOf } from '../world/world.js';

const READ = { limit: 30, windowMs: 10_000 } as const;
const WRITE = { limit: 5, windowMs: 10_000 } as const;

const ownApplication = ({ world, bot }: RestContext) => ok(applicationPayload(world, bot));

const recipient = form({ recipient_id: snowflake() });
const profile = form({ username: text(2, 32).nullish() });
const guildPage = form({
  limit: integer(1, 200).default(200),
  before: snowflake().optional(),
  after: snowflake().optional(),
});

export const userRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/users/@me',
    summary: 'The bot’s own user, or who an OAuth2 token stands for',
    auth: 'any',
    scope: 'identify',
    limit: READ,
    handle: ({ world, bot, grant }) => {
      const user = userOf(world, grant?.userId ?? bot.id);
      const withMail = grant?.scopes.includes('email') === true;
      return ok({ ...ownUserPayload(user), ...(withMail ? { email: `${user.id}@sandbox.invalid` } : {}) });
    },
  },
  {
    method: 'PATCH',
    path: '/users/@me',
    summary: 'Change the bot’s user name',
    auth: 'bot',
    limit: { limit: 2, windowMs: 3_600_000 },
    handle: ({ world, bot, body }) => {
      const read = readForm(profile, body ?? {});
      if (!read.ok) return invalidForm(read.problems);
      const user = userOf(world, bot.id);
      if (read.value.username != null) user.username = read.value.username;
      const payload = ownUserPayload(user);
      return ok(payload, [{ ...worldEvent(GatewayDispatchEvents.UserUpdate, '', payload), botIds: [bot.id] }]);
    },
  },
  {
    method: 'GET',
    path: '/users/@me/guilds',
    summary: 'The guilds of the bot, or of who an OAuth2 token stands for',
    auth: 'any',
    scope: 'guilds',
    limit: READ,
    handle: guildsOf,
  },
  {
    method: 'GET',
    path: '/users/@me/guilds/:guildId/member',
    summary: 'The member that an OAuth2 token stands for',
    auth: 'bearer',
    scope: 'guilds.members.read',
    limit: READ,
    handle: ({ world, grant, params }) => {
      const member = world.guilds.get(params.guildId ?? '')?.members.get(grant?.userId ?? '');
      return member === undefined ? unknown('Guild') : ok(memberPayload(member, userOf(world, member.userId)));
    },
  },
  {
    method: 'DELETE',
    path: '/users/@me/guilds/:guildId',
    summary: 'Leave a guild',
    auth: 'bot',
    limit: WRITE,
    handle: ({ world, bot, params }) => {
      const guild = world.guilds.get(params.guildId ?? '');
      return guild === undefined ? unknown('Guild') : done(removeMember(world, guild, userOf(world, bot.id)));
    },
  },
  {
    method: 'POST',
    path: '/users/@me/channels',
    summary: 'Open the conversation with a user',
    auth: 'bot',
    limit: WRITE,
    handle: ({ world, bot, body }) => {
      const read = readForm(recipient, body);
      if (!read.ok) return invalidForm(read.problems);
      const user = world.users.get(read.value.recipient_id);
      if (user === undefined) return failure(400, 50033, 'Invalid Recipient(s)');
      if (user.bot) return failure(403, 50007, 'Cannot send messages to this user');
      return ok(dmPayload(world, openDm(world, bot.id, user.id)));
    },
  },
  {
    method: 'GET',
    path: '/users/:userId',
    summary: 'A user',
    auth: 'bot',
    limit: READ,
    handle: ({ world, params }) => {
      const user = world.users.get(params.userId ?? '');
      return user === undefined ? unknown('User') : ok(userPayload(user));
    },
  },
  {
    method: 'GET',
    path: '/applications/@me',
    summary: 'The bot’s application',
    auth: 'bot',
    limit: READ,
    handle: ownApplication,
  },
  {
    method: 'GET',
    path: '/oauth2/applications/@me',
    summary: 'The bot’s application, under its older address',
    auth: 'bot',
    limit: READ,
    handle: ownApplication,
  },
];

function guildsOf({ world, bot, grant, query }: RestContext): Reply {
  const read = readForm(guildPage, query);
  if (!read.ok) return invalidForm(read.problems);
  const { limit, before, after } = read.value;
  const userId = grant?.userId ?? bot.id;
  const guilds = [...world.guilds.values()]
    .filter(({ id, members }) => members.has(userId) && (grant !== undefined || bot.guildIds.has(id)))
    .filter(({ id }) => after === undefined || BigInt(id) > BigInt(after))
    .filter(({ id }) => before === undefined || BigInt(id) < BigInt(before))
    .slice(0, limit);
  return ok(
    guilds.map((guild) => ({
      id: guild.id,
      name: guild.name,
      icon: null,
      banner: null,
      owner: guild.ownerId === userId,
      permissions: guildPermissions(guild, userId).toString(),
      features: [],
      ...(query.with_counts === 'true'
        ? { approximate_member_count: guild.members.size, approximate_presence_count: guild.voiceStates.size }
        : {}),
    })),
  );
}
