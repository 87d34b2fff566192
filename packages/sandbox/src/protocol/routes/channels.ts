/** Owns the routes about channels. */
import { ChannelType } from 'discord-api-types/v10';
import type * as z from 'zod';
import { channelPayload } from '../payloads/guild.js';
import { VOICE_REGIONS } from '../payloads/voice.js';
import { choice, flag, form, integer, list, permissions, readForm, snowflake, text } from '../rest/form.js';
import { withChannel, withGuild } from '../rest/guard.js';
import { created, type FormProblem, failure, invalidForm, ok } from '../rest/reply.js';
import type { Route } from '../rest/router.js';
import {
  type ChannelChange,
  changeChannel,
  countInCategory,
  createChannel,
  deleteChannel,
  MAX_CATEGORY_CHANNELS,
  MAX_GUILD_CHANNELS,
} from '../world/channels.js';
import type { Channel, Guild } from '../world/types.js';

const READ = { limit: 30, windowMs: 10_000 } as const;
const WRITE = { limit: 10, windowMs: 5_000 } as const;

/** Overwrites of one channel at most. */
const MAX_OVERWRITES = 1000;
const MAX_VOICE_USERS = 99;
const MAX_STAGE_USERS = 10_000;
const MAX_SLOWMODE_S = 21_600;

const TYPES = [
  ChannelType.GuildText,
  ChannelType.GuildVoice,
  ChannelType.GuildCategory,
  ChannelType.GuildAnnouncement,
  ChannelType.GuildStageVoice,
] as const;

const overwrite = form({
  id: snowflake(),
  type: choice([0, 1] as const),
  allow: permissions().nullish(),
  deny: permissions().nullish(),
});

const changeable = {
  position: integer(0, 0x7fff_ffff).nullish(),
  topic: text(0, 1024).nullish(),
  nsfw: flag().nullish(),
  rate_limit_per_user: integer(0, MAX_SLOWMODE_S).nullish(),
  bitrate: integer(8000, 96_000).nullish(),
  user_limit: integer(0, MAX_STAGE_USERS).nullish(),
  rtc_region: text(1, 100).nullish(),
  video_quality_mode: choice([1, 2] as const).nullish(),
  parent_id: snowflake().nullish(),
  permission_overwrites: list(overwrite, MAX_OVERWRITES).nullish(),
};

const creation = form({ ...changeable, name: text(1, 100), type: choice(TYPES).nullish() });
const modification = form({ ...changeable, name: text(1, 100).optional() });

type ChannelForm = z.output<typeof modification>;

export const channelRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/guilds/:guildId/channels',
    summary: 'Channels of a guild, without threads',
    auth: 'bot',
    limit: READ,
    handle: withGuild((_context, guild) => ok([...guild.channels.values()].map(channelPayload))),
  },
  {
    method: 'POST',
    path: '/guilds/:guildId/channels',
    summary: 'Create a text, voice, category, announcement or stage channel',
    auth: 'bot',
    limit: WRITE,
    handle: withGuild((context, guild) => {
      const read = readForm(creation, context.body);
      if (!read.ok) return invalidForm(read.problems);
      const type = read.value.type ?? ChannelType.GuildText;
      const problems = check(guild, type, read.value, undefined);
      if (problems.length > 0) return invalidForm(problems);
      if (guild.channels.size >= MAX_GUILD_CHANNELS) {
        return failure(400, 30013, `Maximum number of guild channels reached (${MAX_GUILD_CHANNELS})`);
      }
      const result = createChannel(context.world, guild, { ...toChange(read.value), name: read.value.name, type });
      return created(channelPayload(result.channel), result.events);
    }),
  },
  {
    method: 'GET',
    path: '/channels/:channelId',
    summary: 'A channel',
    auth: 'bot',
    limit: READ,
    handle: withChannel((_context, _guild, channel) => ok(channelPayload(channel))),
  },
  {
    method: 'PATCH',
    path: '/channels/:channelId',
    summary: 'Change a channel',
    auth: 'bot',
    limit: WRITE,
    handle: withChannel((context, guild, channel) => {
      const read = readForm(modification, context.body ?? {});
      if (!read.ok) return invalidForm(read.problems);
      const problems = check(guild, channel.type, read.value, channel);
      if (problems.length > 0) return invalidForm(problems);
      const result = changeChannel(guild, channel, toChange(read.value));
      return ok(channelPayload(result.channel), result.events);
    }),
  },
  {
    method: 'DELETE',
    path: '/channels/:channelId',
    summary: 'Delete a channel; those in it are disconnected',
    auth: 'bot',
    limit: WRITE,
    handle: withChannel((context, guild, channel) => {
      const body = channelPayload(channel);
      return ok(body, deleteChannel(context.world, guild, channel));
    }),
  },
];

/** What a schema cannot see: references, and limits that depend on the channel's type. */
function check(
  guild: Guild,
  type: ChannelType,
  input: ChannelForm,
  existing: Channel | undefined,
): readonly FormProblem[] {
  const problems: FormProblem[] = [];
  const say = (field: string, code: string, message: string): void => {
    problems.push({ path: [field], code, message });
  };
  const maxUsers = type === ChannelType.GuildStageVoice ? MAX_STAGE_USERS : MAX_VOICE_USERS;
  if ((input.user_limit ?? 0) > maxUsers) {
    say('user_limit', 'NUMBER_TYPE_MAX', `int value should be less than or equal to ${maxUsers}.`);
  }
  if (input.rtc_region != null && !VOICE_REGIONS.some(({ id }) => id === input.rtc_region)) {
    say(
      'rtc_region',
      'BASE_TYPE_CHOICES',
      `Value must be one of {${VOICE_REGIONS.map(({ id }) => `'${id}'`).join(', ')}}.`,
    );
  }
  if (input.parent_id != null) {
    const parent = guild.channels.get(input.parent_id);
    if (type === ChannelType.GuildCategory) {
      say('parent_id', 'CHANNEL_PARENT_INVALID_TYPE', 'Categories cannot have subcategories');
    } else if (parent === undefined) say('parent_id', 'CHANNEL_PARENT_INVALID', 'Category does not exist');
    else if (parent.type !== ChannelType.GuildCategory) {
      say('parent_id', 'CHANNEL_PARENT_INVALID_TYPE', 'Not a category');
    } else if (existing?.parentId !== parent.id && countInCategory(guild, parent.id) >= MAX_CATEGORY_CHANNELS) {
      say(
        'parent_id',
        'CHANNEL_PARENT_MAX_CHANNELS',
        `Maximum number of channels in category reached (${MAX_CATEGORY_CHANNELS})`,
      );
    }
  }
  return problems;
}

/** `null` gives back a field's default, or empties one that may be empty. */
function toChange(input: ChannelForm): ChannelChange {
  return {
    name: input.name,
    position: input.position ?? undefined,
    topic: input.topic,
    nsfw: input.nsfw ?? undefined,
    slowmode: input.rate_limit_per_user ?? undefined,
    bitrate: input.bitrate ?? undefined,
    userLimit: input.user_limit ?? undefined,
    rtcRegion: input.rtc_region,
    videoQualityMode: input.video_quality_mode ?? undefined,
    parentId: input.parent_id,
    overwrites: input.permission_overwrites?.map(({ id, type, allow, deny }) => ({
      id,
      type,
      allow: allow ?? '0',
      deny: deny ?? '0',
    })),
  };
}
