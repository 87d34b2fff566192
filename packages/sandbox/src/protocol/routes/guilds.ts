/** Owns the routes about a guild, its members, roles and voice. */
import { guildPayload, memberPayload, rolePayload } from '../payloads/guild.js';
import { VOICE_REGIONS, voiceStateUpdatePayload } from '../payloads/voice.js';
import { form, integer, readForm, snowflake } from '../rest/form.js';
import { withGuild } from '../rest/guard.js';
import { invalidForm, ok, type Reply, unknown } from '../rest/reply.js';
import type { RestContext, Route } from '../rest/router.js';
import type { Guild } from '../world/types.js';
import { userOf } from '../world/world.js';

const READ = { limit: 30, windowMs: 10_000 } as const;

const memberPage = form({
  limit: integer(1, 1000).default(1),
  after: snowflake().default('0'),
});

export const guildRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/guilds/:guildId',
    summary: 'A guild, with `with_counts` its approximate counts',
    auth: 'bot',
    limit: READ,
    handle: withGuild(({ query }, guild) => {
      const counts = {
        approximate_member_count: guild.members.size,
        approximate_presence_count: guild.voiceStates.size,
      };
      return ok({ ...guildPayload(guild), ...(query.with_counts === 'true' ? counts : {}) });
    }),
  },
  {
    method: 'GET',
    path: '/guilds/:guildId/members',
    summary: 'Members, by pages of at most 1,000',
    auth: 'bot',
    limit: READ,
    handle: withGuild(({ world, query }, guild) => {
      const page = readForm(memberPage, query);
      if (!page.ok) return invalidForm(page.problems);
      const after = BigInt(page.value.after);
      const members = [...guild.members.values()]
        .filter((member) => BigInt(member.userId) > after)
        .sort((a, b) => (BigInt(a.userId) < BigInt(b.userId) ? -1 : 1))
        .slice(0, page.value.limit);
      return ok(members.map((member) => memberPayload(member, userOf(world, member.userId))));
    }),
  },
  {
    method: 'GET',
    path: '/guilds/:guildId/members/:userId',
    summary: 'A member',
    auth: 'bot',
    limit: READ,
    handle: withGuild(({ world, params }, guild) => {
      const member = guild.members.get(params.userId ?? '');
      if (member !== undefined) return ok(memberPayload(member, userOf(world, member.userId)));
      return unknown(world.users.has(params.userId ?? '') ? 'Member' : 'User');
    }),
  },
  {
    method: 'GET',
    path: '/guilds/:guildId/roles',
    summary: 'Roles',
    auth: 'bot',
    limit: READ,
    handle: withGuild((_context, guild) => ok([...guild.roles.values()].map(rolePayload))),
  },
  {
    method: 'GET',
    path: '/guilds/:guildId/voice-states/@me',
    summary: 'The bot’s own voice state',
    auth: 'bot',
    limit: READ,
    handle: withGuild((context, guild) => voiceState(context, guild, context.bot.id)),
  },
  {
    method: 'GET',
    path: '/guilds/:guildId/voice-states/:userId',
    summary: 'A member’s voice state',
    auth: 'bot',
    limit: READ,
    handle: withGuild((context, guild) => voiceState(context, guild, context.params.userId ?? '')),
  },
  {
    method: 'GET',
    path: '/guilds/:guildId/regions',
    summary: 'Voice regions of a guild',
    auth: 'bot',
    limit: READ,
    handle: withGuild(() => ok(VOICE_REGIONS)),
  },
  {
    method: 'GET',
    path: '/voice/regions',
    summary: 'Voice regions',
    auth: 'bot',
    limit: READ,
    handle: () => ok(VOICE_REGIONS),
  },
];

function voiceState({ world }: RestContext, guild: Guild, userId: string): Reply {
  const state = guild.voiceStates.get(userId);
  return state === undefined
    ? unknown('VoiceState')
    : ok(voiceStateUpdatePayload(world, guild, state, state.channelId));
}
