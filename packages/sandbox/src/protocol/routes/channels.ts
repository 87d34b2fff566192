/** Owns the routes about channels. */
import { ChannelType, PermissionFlagsBits as P } from 'discord-api-types/v10';
import type * as z from 'zod';
import { channelPayload, dmPayload } from '../payloads/guild.js';
import { VOICE_REGIONS } from '../payloads/voice.js';
import { choice, flag, form, integer, list, permissions, readForm, snowflake, text } from '../rest/form.js';
import { withChannel, withGuild, withPlace } from '../rest/guard.js';
import {
  created,
  done,
  type FormProblem,
  failure,
  invalidForm,
  missingPermissions,
  ok,
  unknown,
} from '../rest/reply.js';
import type { RestContext, Route } from '../rest/router.js';
import { channelPermissions, guildPermissions } from '../world/access.js';
import {
  type ChannelChange,
  changeChannel,
  countInCategory,
  createChannel,
  deleteChannel,
  MAX_CATEGORY_CHANNELS,
  MAX_GUILD_CHANNELS,
} from '../world/channels.js';
import { ALL_PERMISSIONS, holds } from '../world/permissions.js';
import type { Channel, Guild } from '../world/types.js';

const READ = { limit: 30, windowMs: 10_000 } as const;
const WRITE = { limit: 10, windowMs: 5_000 } as const;
const RENAME = { limit: 2, windowMs: 600_000 } as const;

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

const order = list(
  form({ id: snowflake(), position: integer(0, 0x7fff_ffff).nullish(), parent_id: snowflake().nullish() }),
  MAX_GUILD_CHANNELS,
);

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
    needs: ['ManageChannels'],
    handle: withGuild((context, guild) => {
      const read = readForm(creation, context.body);
      if (!read.ok) return invalidForm(read.problems);
      const type = read.value.type ?? ChannelType.GuildText;
      const problems = check(guild, type, read.value, undefined);
      if (problems.length > 0) return invalidForm(problems);
      if (overreaches(guildPermissions(guild, context.bot.id), read.value)) return missingPermissions();
      if (guild.channels.size >= MAX_GUILD_CHANNELS) {
        return failure(400, 30013, `Maximum number of guild channels reached (${MAX_GUILD_CHANNELS})`);
      }
      const result = createChannel(context.world, guild, { ...toChange(read.value), name: read.value.name, type });
      return created(channelPayload(result.channel), result.events);
    }),
  },
  {
    method: 'PATCH',
    path: '/guilds/:guildId/channels',
    summary: 'Order channels: a list of `{ id, position, parent_id? }`',
    auth: 'bot',
    limit: WRITE,
    needs: ['ManageChannels'],
    handle: withGuild((context, guild) => {
      const read = readForm(order, context.body);
      if (!read.ok) return invalidForm(read.problems);
      const moves = read.value.map(({ id, ...move }) => ({ channel: guild.channels.get(id), move }));
      if (moves.some(({ channel }) => channel === undefined)) return unknown('Channel');
      for (const { channel, move } of moves) {
        const problems =
          channel === undefined ? [] : check(guild, channel.type, { parent_id: move.parent_id }, channel);
        if (problems.length > 0) return invalidForm(problems);
      }
      return done(
        moves.flatMap(({ channel, move: { position, parent_id: parentId } }) =>
          channel === undefined
            ? []
            : changeChannel(guild, channel, { position: position ?? undefined, parentId }).events,
        ),
      );
    }),
  },
  {
    method: 'GET',
    path: '/channels/:channelId',
    summary: 'A channel, or a conversation of the bot',
    auth: 'bot',
    limit: READ,
    needs: ['ViewChannel'],
    handle: withPlace(({ world }, place) =>
      ok(place.kind === 'guild' ? channelPayload(place.channel) : dmPayload(world, place.channel)),
    ),
  },
  {
    method: 'PATCH',
    path: '/channels/:channelId',
    summary: 'Change a channel',
    auth: 'bot',
    limit: WRITE,
    needs: ['ViewChannel', 'ManageChannels'],
    sublimits: [{ name: 'name or topic', rule: RENAME, scope: 'user', key: renames }],
    handle: withChannel((context, guild, channel) => {
      const read = readForm(modification, context.body ?? {});
      if (!read.ok) return invalidForm(read.problems);
      const problems = check(guild, channel.type, read.value, channel);
      if (problems.length > 0) return invalidForm(problems);
      if (read.value.permission_overwrites != null) {
        const held = channelPermissions(guild, channel, context.bot.id);
        if (!holds(held, P.ManageRoles) || overreaches(held, read.value)) return missingPermissions();
      }
      const result = changeChannel(guild, channel, toChange(read.value));
      return ok(channelPayload(result.channel), result.events);
    }),
  },
  {
    method: 'DELETE',
    path: '/channels/:channelId',
    summary: 'Delete a channel; those in it are disconnected. A conversation is closed',
    auth: 'bot',
    limit: WRITE,
    needs: ['ViewChannel', 'ManageChannels'],
    handle: withPlace((context, place) => {
      if (place.kind === 'dm') {
        context.world.dms.delete(place.channel.id);
        return ok(dmPayload(context.world, place.channel));
      }
      const { guild, channel } = place;
      const body = channelPayload(channel);
      return ok(body, deleteChannel(context.world, guild, channel));
    }),
  },
];

/** Whether an overwrite would give or take what the bot does not hold itself (Discord docs: Create Guild Channel). */
function overreaches(held: bigint, { permission_overwrites: overwrites }: ChannelForm): boolean {
  const touched = (overwrites ?? []).reduce((all, { allow, deny }) => all | BigInt(allow ?? 0) | BigInt(deny ?? 0), 0n);
  return !holds(held, touched & ALL_PERMISSIONS);
}

/** Name and topic may be changed twice in ten minutes, whatever the bucket says. */
function renames({ body }: RestContext): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  if ('name' in body) return 'name';
  return 'topic' in body ? 'topic' : undefined;
}

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
