/** Owns the routes about invites. */
import { PermissionFlagsBits as P } from 'discord-api-types/v10';
import { extendedInvitePayload, invitePayload } from '../payloads/invite.js';
import { flag, form, integer, readForm } from '../rest/form.js';
import { withChannel, withGuild } from '../rest/guard.js';
import { failure, invalidForm, missingPermissions, ok, unknown } from '../rest/reply.js';
import type { Route } from '../rest/router.js';
import { guildPermissions, mayIn } from '../world/access.js';
import { createInvite, deleteInvite, findInvite, holdsStill, MAX_INVITES } from '../world/invites.js';
import { holds } from '../world/permissions.js';

const READ = { limit: 30, windowMs: 10_000 } as const;
const WRITE = { limit: 5, windowMs: 15_000 } as const;
const DEFAULT_AGE_S = 86_400;
const MAX_AGE_S = 604_800;
const MAX_USES = 100;

const creation = form({
  max_age: integer(0, MAX_AGE_S).nullish(),
  max_uses: integer(0, MAX_USES).nullish(),
  temporary: flag().nullish(),
  unique: flag().nullish(),
});

export const inviteRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/channels/:channelId/invites',
    summary: 'Create an invite: `max_age`, `max_uses`, `temporary`, `unique`',
    auth: 'bot',
    limit: WRITE,
    needs: ['ViewChannel', 'CreateInstantInvite'],
    handle: withChannel((context, guild, channel) => {
      const read = readForm(creation, context.body ?? {});
      if (!read.ok) return invalidForm(read.problems);
      for (const invite of [...guild.invites.values()]) {
        if (!holdsStill(invite, context.now)) guild.invites.delete(invite.code);
      }
      if (guild.invites.size >= MAX_INVITES) {
        return failure(400, 30016, `Maximum number of invites reached (${MAX_INVITES})`);
      }
      const { world, bot, now, services } = context;
      const { invite, events } = createInvite(world, guild, channel, {
        inviterId: bot.id,
        maxAge: read.value.max_age ?? DEFAULT_AGE_S,
        maxUses: read.value.max_uses ?? 0,
        temporary: read.value.temporary ?? false,
        unique: read.value.unique ?? false,
        now,
        stamp: services.stamp,
      });
      return ok(extendedInvitePayload(world, guild, channel, invite), events);
    }),
  },
  {
    method: 'GET',
    path: '/channels/:channelId/invites',
    summary: 'Invites of a channel',
    auth: 'bot',
    limit: READ,
    needs: ['ViewChannel', 'ManageChannels'],
    handle: withChannel(({ world, now }, guild, channel) =>
      ok(
        [...guild.invites.values()]
          .filter((invite) => invite.channelId === channel.id && holdsStill(invite, now))
          .map((invite) => extendedInvitePayload(world, guild, channel, invite)),
      ),
    ),
  },
  {
    method: 'GET',
    path: '/guilds/:guildId/invites',
    summary: 'Invites of a guild',
    auth: 'bot',
    limit: READ,
    needs: ['ManageGuild'],
    handle: withGuild(({ world, now }, guild) =>
      ok(
        [...guild.invites.values()].flatMap((invite) => {
          const channel = guild.channels.get(invite.channelId);
          if (channel === undefined || !holdsStill(invite, now)) return [];
          return [extendedInvitePayload(world, guild, channel, invite)];
        }),
      ),
    ),
  },
  {
    method: 'GET',
    path: '/invites/:code',
    summary: 'An invite, with `with_counts` its guild’s counts',
    auth: 'none',
    limit: READ,
    handle: ({ world, params, query, now }) => {
      const found = findInvite(world, params.code ?? '', now);
      if (found === undefined) return unknown('Invite');
      const { guild, channel, invite } = found;
      const payload = invitePayload(world, guild, channel, invite, query.with_counts === 'true');
      return ok(payload);
    },
  },
  {
    method: 'DELETE',
    path: '/invites/:code',
    summary: 'End an invite',
    auth: 'bot',
    limit: WRITE,
    handle: ({ world, bot, params, now }) => {
      const found = findInvite(world, params.code ?? '', now);
      if (found === undefined || !bot.guildIds.has(found.guild.id)) return unknown('Invite');
      const { guild, channel, invite } = found;
      const may =
        mayIn(guild, channel, bot.id, P.ManageChannels) || holds(guildPermissions(guild, bot.id), P.ManageGuild);
      if (!may) return missingPermissions();
      const payload = invitePayload(world, guild, channel, invite, false);
      return ok(payload, deleteInvite(guild, invite));
    },
  },
];
