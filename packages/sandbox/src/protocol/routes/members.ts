/** Owns the routes about members: listing, changing, moving, adding and removing them. */
import { PermissionFlagsBits as P } from 'discord-api-types/v10';
import type * as z from 'zod';
import { memberPayload } from '../payloads/guild.js';
import { flag, form, integer, list, readForm, snowflake, text } from '../rest/form.js';
import { withGuild } from '../rest/guard.js';
import {
  created,
  done,
  failure,
  invalidField,
  invalidForm,
  missingPermissions,
  ok,
  type Reply,
  unknown,
} from '../rest/reply.js';
import type { RestContext, Route } from '../rest/router.js';
import { guildPermissions, mayManageRole, outranks } from '../world/access.js';
import type { WorldEvent } from '../world/events.js';
import { addMember, changeMember, removeMember } from '../world/members.js';
import { holds } from '../world/permissions.js';
import type { Guild, Member } from '../world/types.js';
import { enterVoice, isVoiceChannel, leaveVoice, voiceRefusal } from '../world/voice.js';
import { userOf } from '../world/world.js';

const READ = { limit: 10, windowMs: 10_000 } as const;
const WRITE = { limit: 10, windowMs: 10_000 } as const;
const MEMBER = '/guilds/:guildId/members/:userId';

const page = form({ limit: integer(1, 1000).default(1), after: snowflake().default('0') });
const search = form({ query: text(1, 100), limit: integer(1, 1000).default(1) });

const change = {
  nick: text(0, 32).nullish(),
  roles: list(snowflake(), 250).nullish(),
  mute: flag().nullish(),
  deaf: flag().nullish(),
};
const modification = form({ ...change, channel_id: snowflake().nullish() });
const addition = form({ ...change, access_token: text(1, 200) });

type Modification = z.output<typeof modification>;

export const memberRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/guilds/:guildId/members',
    summary: 'Members, by pages of at most 1,000: `limit`, `after`',
    auth: 'bot',
    limit: READ,
    handle: withGuild((context, guild) => {
      const read = readForm(page, context.query);
      if (!read.ok) return invalidForm(read.problems);
      const after = BigInt(read.value.after);
      const members = [...guild.members.values()]
        .filter(({ userId }) => BigInt(userId) > after)
        .sort((a, b) => (BigInt(a.userId) < BigInt(b.userId) ? -1 : 1))
        .slice(0, read.value.limit);
      return ok(members.map((member) => show(context, member)));
    }),
  },
  {
    method: 'GET',
    path: '/guilds/:guildId/members/search',
    summary: 'Members whose user name or nickname begins with `query`',
    auth: 'bot',
    limit: READ,
    handle: withGuild((context, guild) => {
      const read = readForm(search, context.query);
      if (!read.ok) return invalidForm(read.problems);
      const prefix = read.value.query.toLowerCase();
      const found = [...guild.members.values()].filter(({ userId, nick }) => {
        const { username, globalName } = userOf(context.world, userId);
        return [username, globalName, nick].some((name) => name?.toLowerCase().startsWith(prefix));
      });
      return ok(found.slice(0, read.value.limit).map((member) => show(context, member)));
    }),
  },
  {
    method: 'GET',
    path: MEMBER,
    summary: 'A member',
    auth: 'bot',
    limit: { limit: 30, windowMs: 10_000 },
    handle: withMember((context, _guild, member) => ok(show(context, member))),
  },
  {
    method: 'PATCH',
    path: MEMBER,
    summary: 'Change a member: `nick`, `roles`, `mute`, `deaf`, `channel_id` (moves, `null` disconnects)',
    auth: 'bot',
    limit: WRITE,
    handle: withMember(modify),
  },
  {
    method: 'PATCH',
    path: '/guilds/:guildId/members/@me',
    summary: 'Change the bot’s own nickname',
    auth: 'bot',
    limit: WRITE,
    needs: ['ChangeNickname'],
    handle: withGuild((context, guild) => {
      const read = readForm(form({ nick: change.nick }), context.body ?? {});
      if (!read.ok) return invalidForm(read.problems);
      const member = guild.members.get(context.bot.id);
      if (member === undefined) return unknown('Member');
      const events = changeMember(context.world, guild, member, { nick: read.value.nick });
      return ok(show(context, member), events);
    }),
  },
  {
    method: 'PUT',
    path: MEMBER,
    summary: 'Add a user by an OAuth2 token with `guilds.join`',
    auth: 'bot',
    limit: WRITE,
    needs: ['CreateInstantInvite'],
    handle: withGuild(add),
  },
  {
    method: 'DELETE',
    path: MEMBER,
    summary: 'Remove a member',
    auth: 'bot',
    limit: { limit: 5, windowMs: 1_000 },
    needs: ['KickMembers'],
    handle: withMember((context, guild, member) => {
      if (!outranks(guild, context.bot.id, member.userId)) return missingPermissions();
      return done(removeMember(context.world, guild, userOf(context.world, member.userId)));
    }),
  },
  {
    method: 'PUT',
    path: `${MEMBER}/roles/:roleId`,
    summary: 'Give a member a role',
    auth: 'bot',
    limit: WRITE,
    needs: ['ManageRoles'],
    handle: withMember((context, guild, member) => changeRoles(context, guild, member, true)),
  },
  {
    method: 'DELETE',
    path: `${MEMBER}/roles/:roleId`,
    summary: 'Take a role from a member',
    auth: 'bot',
    limit: WRITE,
    needs: ['ManageRoles'],
    handle: withMember((context, guild, member) => changeRoles(context, guild, member, false)),
  },
];

function withMember(
  handle: (context: RestContext, guild: Guild, member: Member) => Reply,
): (context: RestContext) => Reply {
  return withGuild((context, guild) => {
    const userId = context.params.userId ?? '';
    if (!context.world.users.has(userId)) return unknown('User');
    const member = guild.members.get(userId);
    return member === undefined ? unknown('Member') : handle(context, guild, member);
  });
}

const show = ({ world }: RestContext, member: Member) => memberPayload(member, userOf(world, member.userId));

/** All or nothing: every part is checked before the first is done. */
function modify(context: RestContext, guild: Guild, member: Member): Reply {
  const read = readForm(modification, context.body ?? {});
  if (!read.ok) return invalidForm(read.problems);
  const refused = refuseChange(context, guild, member, read.value) ?? refuseMove(context, guild, member, read.value);
  if (refused !== undefined) return refused;
  const { nick, roles, mute, deaf, channel_id: channelId } = read.value;
  const { world } = context;
  const events: WorldEvent[] = [];
  if (nick !== undefined || roles !== undefined || mute != null || deaf != null) {
    const input = { nick, roles: roles === null ? [] : roles, mute: mute ?? undefined, deaf: deaf ?? undefined };
    events.push(...changeMember(world, guild, member, input));
  }
  const state = guild.voiceStates.get(member.userId);
  if (channelId === null) events.push(...leaveVoice(world, guild, member.userId));
  else if (channelId !== undefined && state !== undefined && state.channelId !== channelId) {
    events.push(...enterVoice(world, guild, member.userId, channelId, { sessionId: state.sessionId }));
  }
  return ok(show(context, member), events);
}

function refuseChange(
  { bot }: RestContext,
  guild: Guild,
  member: Member,
  { nick, roles, mute, deaf }: Omit<Modification, 'channel_id'>,
): Reply | undefined {
  const held = guildPermissions(guild, bot.id);
  const isSelf = member.userId === bot.id;
  const stands = isSelf || outranks(guild, bot.id, member.userId);
  if (nick !== undefined) {
    if (!holds(held, isSelf ? P.ChangeNickname : P.ManageNicknames) || !stands) return missingPermissions();
  }
  if (mute != null && !holds(held, P.MuteMembers)) return missingPermissions();
  if (deaf != null && !holds(held, P.DeafenMembers)) return missingPermissions();
  if ((mute != null || deaf != null) && !guild.voiceStates.has(member.userId)) return notInVoice();
  return roles === undefined ? undefined : refuseRoles(bot.id, guild, member.roles, roles ?? []);
}

/** Why a bot cannot turn one list of roles into another. */
function refuseRoles(
  botId: string,
  guild: Guild,
  before: readonly string[],
  after: readonly string[],
): Reply | undefined {
  if (!holds(guildPermissions(guild, botId), P.ManageRoles)) return missingPermissions();
  const changed = [...after.filter((id) => !before.includes(id)), ...before.filter((id) => !after.includes(id))];
  for (const id of changed) {
    const role = guild.roles.get(id);
    if (role === undefined || id === guild.id) return unknown('Role');
    // Managed roles belong to their application: nobody gives or takes them.
    if (role.managed || !mayManageRole(guild, botId, role)) return missingPermissions();
  }
  return undefined;
}

function refuseMove(
  { bot }: RestContext,
  guild: Guild,
  member: Member,
  { channel_id: channelId }: Modification,
): Reply | undefined {
  if (channelId === undefined) return undefined;
  if (!holds(guildPermissions(guild, bot.id), P.MoveMembers)) return missingPermissions();
  if (!guild.voiceStates.has(member.userId)) return notInVoice();
  if (channelId === null) return undefined;
  const channel = guild.channels.get(channelId);
  if (channel === undefined) return unknown('Channel');
  if (!isVoiceChannel(channel)) return invalidField(['channel_id'], 'CHANNEL_TYPE_INVALID', 'Invalid channel type');
  // The one who moves must be able to enter; the one who is moved need not (Discord docs: Modify Guild Member).
  return voiceRefusal(guild, bot.id, channelId) === 'notPermitted' ? missingPermissions() : undefined;
}

function add(context: RestContext, guild: Guild): Reply {
  const { world, bot, params, services } = context;
  const read = readForm(addition, context.body ?? {});
  if (!read.ok) return invalidForm(read.problems);
  const { access_token: token, nick, roles, mute, deaf } = read.value;
  const user = world.users.get(params.userId ?? '');
  if (user === undefined) return unknown('User');
  const grant = services.oauth.find(token, context.now);
  const isFit = grant?.userId === user.id && grant.clientId === bot.id && grant.scopes.includes('guilds.join');
  if (!isFit) return failure(403, 50025, 'Invalid OAuth2 access token');
  if (guild.members.has(user.id)) return done();
  const held = guildPermissions(guild, bot.id);
  if (nick != null && !holds(held, P.ManageNicknames)) return missingPermissions();
  if (mute != null && !holds(held, P.MuteMembers)) return missingPermissions();
  if (deaf != null && !holds(held, P.DeafenMembers)) return missingPermissions();
  const refused = roles == null ? undefined : refuseRoles(bot.id, guild, [], roles);
  if (refused !== undefined) return refused;
  const events = addMember(guild, user, {
    joinedAt: services.stamp(context.now),
    nick: nick || null,
    roles: roles ?? [],
    mute: mute ?? false,
    deaf: deaf ?? false,
  });
  const member = guild.members.get(user.id);
  return member === undefined ? unknown('Member') : created(show(context, member), events);
}

function changeRoles(context: RestContext, guild: Guild, member: Member, give: boolean): Reply {
  const roleId = context.params.roleId ?? '';
  if (!guild.roles.has(roleId)) return unknown('Role');
  const roles = give ? [...new Set([...member.roles, roleId])] : member.roles.filter((id) => id !== roleId);
  if (roles.length === member.roles.length) return done();
  const refused = refuseRoles(context.bot.id, guild, member.roles, roles);
  return refused ?? done(changeMember(context.world, guild, member, { roles }));
}

const notInVoice = (): Reply => failure(400, 40032, 'Target user is not connected to voice.');
