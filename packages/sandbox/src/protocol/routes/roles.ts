/** Owns the routes about roles and permission overwrites. */
import { OverwriteType, PermissionFlagsBits as P } from 'discord-api-types/v10';
import type * as z from 'zod';
import { rolePayload } from '../payloads/guild.js';
import { choice, flag, form, integer, list, permissions, readForm, snowflake, text } from '../rest/form.js';
import { withChannel, withGuild } from '../rest/guard.js';
import { done, failure, invalidForm, missingPermissions, ok, type Reply, unknown } from '../rest/reply.js';
import type { RestContext, Route } from '../rest/router.js';
import { channelPermissions, guildPermissions, highestPosition, mayManageRole } from '../world/access.js';
import { changeChannel } from '../world/channels.js';
import { ALL_PERMISSIONS, holds } from '../world/permissions.js';
import { changeRole, createRole, deleteRole, MAX_ROLES, type RoleChange } from '../world/roles.js';
import type { Guild, Role } from '../world/types.js';

const READ = { limit: 30, windowMs: 10_000 } as const;
const WRITE = { limit: 10, windowMs: 10_000 } as const;
const ROLE = '/guilds/:guildId/roles/:roleId';

const roleForm = form({
  name: text(0, 100).nullish(),
  permissions: permissions().nullish(),
  color: integer(0, 0xff_ffff).nullish(),
  colors: form({ primary_color: integer(0, 0xff_ffff) }).nullish(),
  hoist: flag().nullish(),
  mentionable: flag().nullish(),
});
const order = list(form({ id: snowflake(), position: integer(0, 0x7fff_ffff).nullish() }), MAX_ROLES);
const overwrite = form({
  type: choice([0, 1] as const),
  allow: permissions().nullish(),
  deny: permissions().nullish(),
});

export const roleRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/guilds/:guildId/roles',
    summary: 'Roles of a guild',
    auth: 'bot',
    limit: READ,
    handle: withGuild((_context, guild) => ok([...guild.roles.values()].map(rolePayload))),
  },
  {
    method: 'GET',
    path: ROLE,
    summary: 'A role',
    auth: 'bot',
    limit: READ,
    handle: withRole((_context, _guild, role) => ok(rolePayload(role))),
  },
  {
    method: 'POST',
    path: '/guilds/:guildId/roles',
    summary: 'Create a role',
    auth: 'bot',
    limit: WRITE,
    needs: ['ManageRoles'],
    handle: withGuild((context, guild) => {
      const read = readForm(roleForm, context.body ?? {});
      if (!read.ok) return invalidForm(read.problems);
      if (grantsTooMuch(context, guild, read.value.permissions)) return missingPermissions();
      if (guild.roles.size >= MAX_ROLES) {
        return failure(400, 30005, `Maximum number of guild roles reached (${MAX_ROLES})`);
      }
      const { role, events } = createRole(context.world, guild, toChange(read.value));
      return ok(rolePayload(role), events);
    }),
  },
  {
    method: 'PATCH',
    path: '/guilds/:guildId/roles',
    summary: 'Order roles: a list of `{ id, position }`',
    auth: 'bot',
    limit: WRITE,
    needs: ['ManageRoles'],
    handle: withGuild((context, guild) => {
      const read = readForm(order, context.body);
      if (!read.ok) return invalidForm(read.problems);
      const moves = read.value.flatMap(({ id, position }) =>
        position == null ? [] : [{ role: guild.roles.get(id), position }],
      );
      if (moves.some(({ role }) => role === undefined)) return unknown('Role');
      const roles = moves.flatMap(({ role, position }) => (role === undefined ? [] : [{ role, position }]));
      if (roles.some(({ role }) => role.id === guild.id || !mayManageRole(guild, context.bot.id, role))) {
        return missingPermissions();
      }
      // Nobody lifts a role above their own.
      if (roles.some(({ position }) => position > highestPosition(guild, context.bot.id))) return missingPermissions();
      const events = roles.flatMap(({ role, position }) => changeRole(guild, role, { position }));
      return ok([...guild.roles.values()].map(rolePayload), events);
    }),
  },
  {
    method: 'PATCH',
    path: ROLE,
    summary: 'Change a role',
    auth: 'bot',
    limit: WRITE,
    needs: ['ManageRoles'],
    handle: withRole((context, guild, role) => {
      const read = readForm(roleForm, context.body ?? {});
      if (!read.ok) return invalidForm(read.problems);
      const isEveryone = role.id === guild.id;
      if (!isEveryone && !mayManageRole(guild, context.bot.id, role)) return missingPermissions();
      if (grantsTooMuch(context, guild, read.value.permissions)) return missingPermissions();
      const { name, ...rest } = toChange(read.value);
      const events = changeRole(guild, role, { ...rest, name: isEveryone ? undefined : name });
      return ok(rolePayload(role), events);
    }),
  },
  {
    method: 'DELETE',
    path: ROLE,
    summary: 'Delete a role',
    auth: 'bot',
    limit: WRITE,
    needs: ['ManageRoles'],
    handle: withRole((context, guild, role) => {
      if (role.id === guild.id || role.managed) return failure(400, 50028, 'Invalid role');
      if (!mayManageRole(guild, context.bot.id, role)) return missingPermissions();
      return done(deleteRole(context.world, guild, role));
    }),
  },
  {
    method: 'PUT',
    path: '/channels/:channelId/permissions/:overwriteId',
    summary: 'Set a channel’s permission overwrite for a role or member',
    auth: 'bot',
    limit: WRITE,
    needs: ['ViewChannel', 'ManageRoles'],
    handle: withChannel((context, guild, channel) => {
      const read = readForm(overwrite, context.body ?? {});
      if (!read.ok) return invalidForm(read.problems);
      const id = context.params.overwriteId ?? '';
      const { type, allow, deny } = read.value;
      if (type === OverwriteType.Role && !guild.roles.has(id)) return unknown('Role');
      if (type === OverwriteType.Member && !context.world.users.has(id)) return unknown('User');
      const held = channelPermissions(guild, channel, context.bot.id);
      // Only what the bot may do itself can be allowed or denied (Discord docs: Edit Channel Permissions).
      const touched = (BigInt(allow ?? 0) | BigInt(deny ?? 0)) & ALL_PERMISSIONS;
      if (!holds(held, touched) && !holds(guildPermissions(guild, context.bot.id), P.Administrator)) {
        return missingPermissions();
      }
      const others = channel.overwrites.filter((it) => it.id !== id);
      const own = { id, type, allow: allow ?? '0', deny: deny ?? '0' };
      return done(changeChannel(guild, channel, { overwrites: [...others, own] }).events);
    }),
  },
  {
    method: 'DELETE',
    path: '/channels/:channelId/permissions/:overwriteId',
    summary: 'Delete a channel’s permission overwrite',
    auth: 'bot',
    limit: WRITE,
    needs: ['ViewChannel', 'ManageRoles'],
    handle: withChannel((context, guild, channel) => {
      const others = channel.overwrites.filter(({ id }) => id !== context.params.overwriteId);
      if (others.length === channel.overwrites.length) return unknown('Overwrite');
      return done(changeChannel(guild, channel, { overwrites: others }).events);
    }),
  },
];

function withRole(handle: (context: RestContext, guild: Guild, role: Role) => Reply): (context: RestContext) => Reply {
  return withGuild((context, guild) => {
    const role = guild.roles.get(context.params.roleId ?? '');
    return role === undefined ? unknown('Role') : handle(context, guild, role);
  });
}

/** Nobody gives what they do not have. */
function grantsTooMuch({ bot }: RestContext, guild: Guild, wanted: string | null | undefined): boolean {
  return wanted != null && !holds(guildPermissions(guild, bot.id), BigInt(wanted) & ALL_PERMISSIONS);
}

function toChange(input: z.output<typeof roleForm>): RoleChange {
  return {
    name: input.name === null || input.name === '' ? 'new role' : input.name,
    // Bits that mean nothing are dropped, as Discord does.
    permissions: input.permissions == null ? undefined : BigInt(input.permissions) & ALL_PERMISSIONS,
    color: input.color ?? input.colors?.primary_color ?? undefined,
    hoist: input.hoist ?? undefined,
    mentionable: input.mentionable ?? undefined,
  };
}
