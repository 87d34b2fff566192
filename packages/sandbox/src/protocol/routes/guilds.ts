/** Owns the routes about a guild as a whole, and about its voice. */
import { ChannelType, GatewayDispatchEvents } from 'discord-api-types/v10';
import { guildPayload } from '../payloads/guild.js';
import { VOICE_REGIONS, voiceStateUpdatePayload } from '../payloads/voice.js';
import { form, readForm, snowflake, text } from '../rest/form.js';
import { withGuild } from '../rest/guard.js';
import { invalidForm, ok, type Reply, unknown } from '../rest/reply.js';
import type { RestContext, Route } from '../rest/router.js';
import { worldEvent } from '../world/events.js';
import type { Guild } from '../world/types.js';

const READ = { limit: 30, windowMs: 10_000 } as const;

const WRITE = { limit: 5, windowMs: 10_000 } as const;

const modification = form({ name: text(2, 100).nullish(), system_channel_id: snowflake().nullish() });

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
    method: 'PATCH',
    path: '/guilds/:guildId',
    summary: 'Change a guild’s name or system channel',
    auth: 'bot',
    limit: WRITE,
    needs: ['ManageGuild'],
    handle: withGuild((context, guild) => {
      const read = readForm(modification, context.body ?? {});
      if (!read.ok) return invalidForm(read.problems);
      const { name, system_channel_id: systemChannelId } = read.value;
      if (systemChannelId != null && guild.channels.get(systemChannelId)?.type !== ChannelType.GuildText) {
        return unknown('Channel');
      }
      if (name != null) guild.name = name;
      if (systemChannelId !== undefined) guild.systemChannelId = systemChannelId;
      const payload = guildPayload(guild);
      return ok(payload, [worldEvent(GatewayDispatchEvents.GuildUpdate, guild.id, payload)]);
    }),
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
