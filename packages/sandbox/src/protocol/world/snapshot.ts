/**
 * Owns the saved world: everything but logins, sessions and the bytes of attachments, as plain JSON. What is loaded is
 * checked, shape and references, so that a fixture edited by hand fails at once and says where.
 */
import type { APIApplicationCommand, APIEmbed } from 'discord-api-types/v10';
import * as z from 'zod';
import { createRandom } from '../random.js';
import { createIdSource, isSnowflake } from '../snowflake.js';
import type { Bot, Channel, DmChannel, Guild, Message, Role, SandboxChannelType, World } from './types.js';

const id = z.custom<string>(isSnowflake, { error: 'must be an id' });
const maybe = <Schema extends z.ZodType>(schema: Schema) => schema.nullable();
const bits = id.transform((value) => BigInt(value));

const message = z.strictObject({
  id,
  channelId: id,
  authorId: id,
  webhook: maybe(z.strictObject({ id, name: z.string(), avatar: maybe(z.string()) })),
  type: z.int(),
  content: z.string(),
  timestamp: z.string(),
  sentAt: z.number(),
  editedTimestamp: maybe(z.string()),
  tts: z.boolean(),
  mentionsEveryone: z.boolean(),
  mentions: z.array(id),
  mentionRoles: z.array(id),
  attachments: z.array(
    z.strictObject({
      id,
      filename: z.string().min(1),
      size: z.int(),
      contentType: maybe(z.string()),
      description: maybe(z.string()),
    }),
  ),
  embeds: z.array(z.custom<APIEmbed>((value) => typeof value === 'object' && value !== null)),
  flags: z.int(),
  nonce: maybe(z.union([z.string(), z.int()])),
  referenceId: maybe(id),
  reactions: z.array(z.strictObject({ emoji: z.string(), userIds: z.array(id) })),
});

const channel = z.strictObject({
  id,
  guildId: id,
  type: z.custom<SandboxChannelType>((value) => [0, 2, 4, 5, 13].includes(value as number), {
    error: 'must be a channel type of 0, 2, 4, 5, 13',
  }),
  name: z.string(),
  position: z.int(),
  parentId: maybe(id),
  overwrites: z.array(z.strictObject({ id, type: z.literal([0, 1]), allow: id, deny: id })),
  nsfw: z.boolean(),
  topic: maybe(z.string()),
  slowmode: z.int(),
  bitrate: z.int(),
  userLimit: z.int(),
  rtcRegion: maybe(z.string()),
  videoQualityMode: z.int(),
  lastMessageId: maybe(id),
  messages: z.array(message),
});

const role = z.strictObject({
  id,
  name: z.string(),
  color: z.int(),
  hoist: z.boolean(),
  position: z.int(),
  permissions: bits,
  managed: z.boolean(),
  mentionable: z.boolean(),
  botId: maybe(id),
});

const guild = z.strictObject({
  id,
  name: z.string(),
  ownerId: id,
  systemChannelId: maybe(id),
  channels: z.array(channel),
  roles: z.array(role),
  members: z.array(
    z.strictObject({
      userId: id,
      nick: maybe(z.string()),
      roles: z.array(id),
      joinedAt: z.string(),
      mute: z.boolean(),
      deaf: z.boolean(),
    }),
  ),
  voiceStates: z.array(
    z.strictObject({
      userId: id,
      channelId: id,
      sessionId: z.string(),
      selfMute: z.boolean(),
      selfDeaf: z.boolean(),
      selfVideo: z.boolean(),
      selfStream: z.boolean(),
    }),
  ),
  invites: z.array(
    z.strictObject({
      code: z.string(),
      channelId: id,
      inviterId: id,
      maxAge: z.int(),
      maxUses: z.int(),
      uses: z.int(),
      temporary: z.boolean(),
      createdAt: z.number(),
      createdStamp: z.string(),
      expiresStamp: maybe(z.string()),
    }),
  ),
  webhooks: z.array(
    z.strictObject({
      id,
      token: z.string(),
      creatorId: id,
      channelId: id,
      name: z.string(),
      avatar: maybe(z.string()),
    }),
  ),
});

const worldState = z.strictObject({
  ids: z.strictObject({ used: z.int().min(0), lastMs: z.int().min(0) }),
  random: z.int().min(0),
  users: z.array(
    z.strictObject({
      id,
      username: z.string(),
      globalName: maybe(z.string()),
      avatar: maybe(z.string()),
      bot: z.boolean(),
    }),
  ),
  bots: z.array(
    z.strictObject({
      id,
      privilegedIntents: z.int(),
      guildIds: z.array(id),
      commands: z.array(
        z.custom<APIApplicationCommand>(
          (value) => typeof value === 'object' && value !== null && 'id' in value && isSnowflake(value.id),
        ),
      ),
    }),
  ),
  /** Of people. What a bot shows ends with its session. */
  presences: z
    .array(
      z.strictObject({
        userId: id,
        status: z.enum(['online', 'idle', 'dnd']),
        activities: z.array(
          z.strictObject({
            name: z.string(),
            type: z.int(),
            state: z.string().optional(),
            url: z.string().optional(),
          }),
        ),
      }),
    )
    .default([]),
  guilds: z.array(guild),
  dms: z.array(z.strictObject({ id, botId: id, userId: id, lastMessageId: maybe(id), messages: z.array(message) })),
});

type WorldState = z.input<typeof worldState>;
type ReadState = z.output<typeof worldState>;

/** A loaded world, or where it is wrong. */
export type LoadResult =
  | { readonly ok: true; readonly world: World }
  | { readonly ok: false; readonly problem: string };

/** Saves a world. People stay in voice; a bot's voice connection ends with its session. */
export function saveWorld(world: World): WorldState {
  const messages = (holder: { readonly messages: ReadonlyMap<string, Message> }) =>
    structure([...holder.messages.values()]);
  return {
    ids: world.ids.state,
    random: world.random.state,
    users: structure([...world.users.values()]),
    bots: [...world.bots.values()].map(({ id: botId, privilegedIntents, guildIds, commands }) => ({
      id: botId,
      privilegedIntents,
      guildIds: [...guildIds],
      commands: structure([...commands.values()]),
    })),
    presences: [...world.presences].flatMap(([userId, { status, activities }]) =>
      world.bots.has(userId) ? [] : [{ userId, status, activities: structure([...activities]) }],
    ),
    guilds: [...world.guilds.values()].map((it) => ({
      id: it.id,
      name: it.name,
      ownerId: it.ownerId,
      systemChannelId: it.systemChannelId,
      channels: [...it.channels.values()].map((one) => ({
        ...structure({ ...one, messages: undefined }),
        messages: messages(one),
      })),
      roles: [...it.roles.values()].map((one) => ({ ...one, permissions: one.permissions.toString() })),
      members: structure([...it.members.values()]),
      voiceStates: structure([...it.voiceStates.values()].filter(({ userId }) => !world.bots.has(userId))),
      invites: structure([...it.invites.values()]),
      webhooks: structure([...it.webhooks.values()]),
    })),
    dms: [...world.dms.values()].map(({ id: dmId, botId, userId, lastMessageId, ...rest }) => ({
      id: dmId,
      botId,
      userId,
      lastMessageId,
      messages: messages(rest),
    })),
  } as WorldState;
}

/** Loads a world. @param now As for `createWorld`. */
export function loadWorld(state: unknown, seed: number, now?: () => number): LoadResult {
  const read = worldState.safeParse(state);
  if (!read.success) {
    const [issue] = read.error.issues;
    return { ok: false, problem: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}` };
  }
  const problem = brokenReference(read.data);
  if (problem !== undefined) return { ok: false, problem };
  return { ok: true, world: build(read.data, seed, now) };
}

function build(state: ReadState, seed: number, now: (() => number) | undefined): World {
  const withMessages = <T extends { readonly messages: readonly Message[] }>(holder: T) => ({
    ...holder,
    messages: byId(holder.messages),
  });
  const guilds = state.guilds.map(
    (it): Guild => ({
      ...it,
      channels: byId<Channel>(it.channels.map(withMessages)),
      roles: byId<Role>(it.roles),
      members: new Map(it.members.map((one) => [one.userId, one])),
      voiceStates: new Map(it.voiceStates.map((one) => [one.userId, one])),
      invites: new Map(it.invites.map((one) => [one.code, one])),
      webhooks: byId(it.webhooks),
    }),
  );
  const bots = state.bots.map((it): Bot => ({ ...it, guildIds: new Set(it.guildIds), commands: byId(it.commands) }));
  return {
    ids: createIdSource(seed, now, state.ids),
    random: createRandom(state.random),
    guilds: byId(guilds),
    users: byId(state.users),
    presences: new Map(state.presences.map(({ userId, ...presence }) => [userId, presence])),
    bots: byId(bots),
    dms: byId<DmChannel>(state.dms.map(withMessages)),
    site: { origin: '' },
  };
}

/** The first name that leads nowhere: payloads rely on each of these. */
function brokenReference(state: ReadState): string | undefined {
  const users = new Set(state.users.map((user) => user.id));
  const guildIds = new Set(state.guilds.map((it) => it.id));
  const problems: string[] = [];
  const need = (known: ReadonlySet<string>, what: string, where: string, ids: readonly string[]): void => {
    for (const one of ids) if (!known.has(one)) problems.push(`${where}: there is no ${what} ${one}`);
  };
  const needMessages = (where: string, messages: readonly z.output<typeof message>[]): void => {
    for (const one of messages) {
      if (one.webhook === null) need(users, 'user', `${where}, message ${one.id}`, [one.authorId]);
      need(users, 'user', `${where}, message ${one.id}`, one.mentions);
      for (const { userIds } of one.reactions) need(users, 'user', `${where}, message ${one.id}`, userIds);
    }
  };
  for (const bot of state.bots) {
    need(users, 'user', `bot ${bot.id}`, [bot.id]);
    need(guildIds, 'guild', `bot ${bot.id}`, bot.guildIds);
  }
  for (const it of state.guilds) {
    const where = `guild ${it.id}`;
    const members = new Set(it.members.map(({ userId }) => userId));
    const roles = new Set(it.roles.map((one) => one.id));
    const channels = new Set(it.channels.map((one) => one.id));
    need(roles, 'role', where, [it.id]);
    need(members, 'member', where, [it.ownerId]);
    for (const { userId, roles: held } of it.members) {
      need(users, 'user', where, [userId]);
      need(roles, 'role', `${where}, member ${userId}`, held);
    }
    for (const { userId, channelId } of it.voiceStates) {
      need(members, 'member', `${where}, voice state`, [userId]);
      need(channels, 'channel', `${where}, voice state`, [channelId]);
    }
    for (const { inviterId } of it.invites) need(users, 'user', `${where}, invite`, [inviterId]);
    for (const { creatorId } of it.webhooks) need(users, 'user', `${where}, webhook`, [creatorId]);
    for (const one of it.channels) needMessages(`channel ${one.id}`, one.messages);
    for (const { id: botId, guildIds: inGuilds } of state.bots) {
      if (inGuilds.includes(it.id)) need(members, 'member', where, [botId]);
    }
  }
  for (const { userId } of state.presences) need(users, 'user', 'presence', [userId]);
  for (const dm of state.dms) {
    need(users, 'user', `conversation ${dm.id}`, [dm.userId, dm.botId]);
    needMessages(`conversation ${dm.id}`, dm.messages);
  }
  return problems[0];
}

const byId = <T extends { readonly id: string }>(items: readonly T[]): Map<string, T> =>
  new Map(items.map((item) => [item.id, item]));

/** A deep copy as plain JSON: a saved state does not change with the world. */
const structure = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
