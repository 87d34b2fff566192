/**
 * The fields that strict clients read (typed clients of Rust, Go and Swift refuse a payload that lacks one), as zod
 * schemas: every answer and every dispatch that a test sees is held against them.
 */
import * as z from 'zod';
import { matchRoute } from '../../src/protocol/rest/router.js';
import { ROUTES } from '../../src/protocol/routes/index.js';
import { DISPATCHES, type DispatchName } from '../../src/protocol/world/events.js';

const id = z.string().regex(/^\d{1,20}$/);
const stamp = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/);
const bits = z.string().regex(/^\d+$/);
const maybe = <Schema extends z.ZodType>(schema: Schema) => schema.nullable();

const user = z.object({
  id,
  username: z.string().min(1),
  discriminator: z.string().regex(/^(?:0|\d{4})$/),
  global_name: maybe(z.string()),
  avatar: maybe(z.string()),
  bot: z.boolean().optional(),
  public_flags: z.int().optional(),
});
const ownUser = user.extend({
  verified: z.boolean(),
  mfa_enabled: z.boolean(),
  locale: z.string(),
  flags: z.int(),
  email: maybe(z.string()),
});
const bareMember = z.object({
  nick: maybe(z.string()),
  avatar: maybe(z.string()),
  roles: z.array(id),
  joined_at: stamp,
  deaf: z.boolean(),
  mute: z.boolean(),
  flags: z.int(),
  pending: z.boolean(),
  communication_disabled_until: maybe(stamp),
});
const member = bareMember.extend({ user });
const role = z.object({
  id,
  name: z.string(),
  color: z.int(),
  colors: z.object({ primary_color: z.int(), secondary_color: maybe(z.int()), tertiary_color: maybe(z.int()) }),
  hoist: z.boolean(),
  position: z.int(),
  permissions: bits,
  managed: z.boolean(),
  mentionable: z.boolean(),
  flags: z.int(),
});
const overwrite = z.object({ id, type: z.literal([0, 1]), allow: bits, deny: bits });
const guildChannel = {
  id,
  guild_id: id,
  name: z.string(),
  position: z.int(),
  permission_overwrites: z.array(overwrite),
  flags: z.int(),
};
const written = { parent_id: maybe(id), nsfw: z.boolean(), rate_limit_per_user: z.int(), last_message_id: maybe(id) };
const dm = z.object({ id, type: z.literal(1), last_message_id: maybe(id), recipients: z.array(user), flags: z.int() });
const channel = z.discriminatedUnion('type', [
  z.object({ ...guildChannel, ...written, type: z.literal([0, 5]), topic: maybe(z.string()) }),
  z.object({
    ...guildChannel,
    ...written,
    type: z.literal([2, 13]),
    bitrate: z.int(),
    user_limit: z.int(),
    rtc_region: maybe(z.string()),
    video_quality_mode: z.literal([1, 2]),
  }),
  z.object({ ...guildChannel, type: z.literal(4), parent_id: z.null() }),
]);
const guild = z.object({
  id,
  name: z.string(),
  icon: maybe(z.string()),
  splash: maybe(z.string()),
  discovery_splash: maybe(z.string()),
  banner: maybe(z.string()),
  description: maybe(z.string()),
  owner_id: id,
  afk_channel_id: maybe(id),
  afk_timeout: z.int(),
  verification_level: z.int(),
  default_message_notifications: z.int(),
  explicit_content_filter: z.int(),
  roles: z.array(role).min(1),
  emojis: z.array(z.unknown()),
  stickers: z.array(z.unknown()),
  features: z.array(z.string()),
  mfa_level: z.int(),
  application_id: maybe(id),
  system_channel_id: maybe(id),
  system_channel_flags: z.int(),
  rules_channel_id: maybe(id),
  public_updates_channel_id: maybe(id),
  vanity_url_code: maybe(z.string()),
  premium_tier: z.int(),
  preferred_locale: z.string(),
  nsfw_level: z.int(),
  premium_progress_bar_enabled: z.boolean(),
  safety_alerts_channel_id: maybe(id),
});
const partialGuild = z.object({
  id,
  name: z.string(),
  icon: maybe(z.string()),
  owner: z.boolean(),
  permissions: bits,
  features: z.array(z.string()),
});
const bareVoiceState = z.object({
  user_id: id,
  channel_id: maybe(id),
  session_id: z.string().min(1),
  deaf: z.boolean(),
  mute: z.boolean(),
  self_deaf: z.boolean(),
  self_mute: z.boolean(),
  self_video: z.boolean(),
  suppress: z.boolean(),
  request_to_speak_timestamp: maybe(stamp),
});
const voiceState = bareVoiceState.extend({ guild_id: id, member });
const emoji = z.object({ id: maybe(id), name: maybe(z.string()) });
const bareMessage = z.object({
  id,
  channel_id: id,
  author: user,
  content: z.string(),
  timestamp: stamp,
  edited_timestamp: maybe(stamp),
  tts: z.boolean(),
  mention_everyone: z.boolean(),
  mentions: z.array(user),
  mention_roles: z.array(id),
  attachments: z.array(z.object({ id, filename: z.string().min(1), size: z.int(), url: z.url(), proxy_url: z.url() })),
  embeds: z.array(z.object({ type: z.literal('rich') })),
  components: z.array(z.unknown()),
  pinned: z.boolean(),
  type: z.int(),
  flags: z.int(),
  reactions: z
    .array(
      z.object({
        emoji,
        count: z.int().min(1),
        count_details: z.object({ burst: z.int(), normal: z.int() }),
        me: z.boolean(),
        me_burst: z.boolean(),
        burst_colors: z.array(z.string()),
      }),
    )
    .optional(),
  webhook_id: id.optional(),
});
const message = bareMessage.extend({
  message_reference: z.object({ message_id: id, channel_id: id, guild_id: id.optional() }).optional(),
  referenced_message: bareMessage.nullish(),
});
const region = z.object({
  id: z.string(),
  name: z.string(),
  optimal: z.boolean(),
  deprecated: z.boolean(),
  custom: z.boolean(),
});
const application = z.object({
  id,
  name: z.string(),
  icon: maybe(z.string()),
  description: z.string(),
  bot_public: z.boolean(),
  bot_require_code_grant: z.boolean(),
  verify_key: z.string(),
  team: z.null(),
  flags: z.int(),
});
const invite = z.object({
  type: z.literal(0),
  code: z.string().min(1),
  guild: z.object({ id, name: z.string(), features: z.array(z.string()), verification_level: z.int() }),
  channel: z.object({ id, name: z.string(), type: z.int() }),
  inviter: user,
  expires_at: maybe(stamp),
});
const fullInvite = invite.extend({
  uses: z.int(),
  max_uses: z.int(),
  max_age: z.int(),
  temporary: z.boolean(),
  created_at: stamp,
});
const webhook = z.object({
  id,
  type: z.literal(1),
  guild_id: id,
  channel_id: id,
  name: z.string(),
  avatar: maybe(z.string()),
  application_id: maybe(id),
  token: z.string().min(60),
  url: z.url(),
});
const command = z.object({
  id,
  type: z.literal([1, 2, 3]),
  application_id: id,
  name: z.string(),
  description: z.string(),
  default_member_permissions: maybe(bits),
  version: id,
});
const commandPaths = (base: string): Record<string, z.ZodType> => ({
  [`GET ${base}`]: z.array(command),
  [`PUT ${base}`]: z.array(command),
  [`POST ${base}`]: command,
  [`GET ${base}/:commandId`]: command,
  [`PATCH ${base}/:commandId`]: command,
});
const nothing = z.undefined();
const tokens = z.object({
  access_token: z.string().min(1),
  token_type: z.literal('Bearer'),
  expires_in: z.int(),
  refresh_token: z.string().min(1),
  scope: z.string(),
});

const M = '/channels/:channelId/messages';
const W = '/webhooks/:webhookId/:token';

/** What each route answers with when all is well. Routes that are not named answer with nothing. */
const ANSWERS: Readonly<Record<string, z.ZodType>> = {
  'GET /gateway': z.object({ url: z.string().regex(/^wss?:/) }),
  'GET /gateway/bot': z.object({
    url: z.string(),
    shards: z.int().min(1),
    session_start_limit: z.object({
      total: z.int(),
      remaining: z.int(),
      reset_after: z.int(),
      max_concurrency: z.int().min(1),
    }),
  }),
  'GET /users/@me': ownUser,
  'PATCH /users/@me': ownUser,
  'GET /users/@me/guilds': z.array(partialGuild),
  'GET /users/@me/guilds/:guildId/member': member,
  'POST /users/@me/channels': dm,
  'GET /users/:userId': user,
  'GET /applications/@me': application,
  'GET /oauth2/applications/@me': application,
  'GET /guilds/:guildId': guild,
  'PATCH /guilds/:guildId': guild,
  'GET /guilds/:guildId/voice-states/@me': voiceState,
  'GET /guilds/:guildId/voice-states/:userId': voiceState,
  'GET /guilds/:guildId/regions': z.array(region),
  'GET /voice/regions': z.array(region),
  'GET /guilds/:guildId/channels': z.array(channel),
  'POST /guilds/:guildId/channels': channel,
  'GET /channels/:channelId': z.union([channel, dm]),
  'PATCH /channels/:channelId': channel,
  'DELETE /channels/:channelId': z.union([channel, dm]),
  [`GET ${M}`]: z.array(message),
  [`GET ${M}/:messageId`]: message,
  [`POST ${M}`]: message,
  [`PATCH ${M}/:messageId`]: message,
  [`GET ${M}/:messageId/reactions/:emoji`]: z.array(user),
  'GET /guilds/:guildId/members': z.array(member),
  'GET /guilds/:guildId/members/search': z.array(member),
  'GET /guilds/:guildId/members/:userId': member,
  'PATCH /guilds/:guildId/members/:userId': member,
  'PATCH /guilds/:guildId/members/@me': member,
  'PUT /guilds/:guildId/members/:userId': z.union([member, nothing]),
  'GET /guilds/:guildId/roles': z.array(role),
  'PATCH /guilds/:guildId/roles': z.array(role),
  'POST /guilds/:guildId/roles': role,
  'GET /guilds/:guildId/roles/:roleId': role,
  'PATCH /guilds/:guildId/roles/:roleId': role,
  'POST /channels/:channelId/invites': fullInvite,
  'GET /channels/:channelId/invites': z.array(fullInvite),
  'GET /guilds/:guildId/invites': z.array(fullInvite),
  'GET /invites/:code': invite,
  'DELETE /invites/:code': invite,
  'POST /channels/:channelId/webhooks': webhook.extend({ user }),
  'GET /channels/:channelId/webhooks': z.array(webhook),
  'GET /guilds/:guildId/webhooks': z.array(webhook),
  'GET /webhooks/:webhookId': webhook.extend({ user }),
  'PATCH /webhooks/:webhookId': webhook,
  [`GET ${W}`]: webhook,
  [`PATCH ${W}`]: webhook,
  [`POST ${W}`]: z.union([message, nothing]),
  [`GET ${W}/messages/:messageId`]: message,
  [`PATCH ${W}/messages/:messageId`]: message,
  ...commandPaths('/applications/:applicationId/commands'),
  ...commandPaths('/applications/:applicationId/guilds/:guildId/commands'),
  'POST /oauth2/token': tokens,
  'POST /oauth2/token/revoke': z.object({}),
  'GET /oauth2/@me': z.object({ application, scopes: z.array(z.string()), expires: stamp, user: user.optional() }),
};

/** Answers without a body. */
const SILENT = new Set([
  `DELETE ${M}/:messageId`,
  `POST ${M}/bulk-delete`,
  'POST /channels/:channelId/typing',
  `PUT ${M}/:messageId/reactions/:emoji/@me`,
  `DELETE ${M}/:messageId/reactions/:emoji/@me`,
  `DELETE ${M}/:messageId/reactions/:emoji/:userId`,
  `DELETE ${M}/:messageId/reactions`,
  `DELETE ${M}/:messageId/reactions/:emoji`,
  'PATCH /guilds/:guildId/channels',
  'DELETE /guilds/:guildId/members/:userId',
  'PUT /guilds/:guildId/members/:userId/roles/:roleId',
  'DELETE /guilds/:guildId/members/:userId/roles/:roleId',
  'DELETE /guilds/:guildId/roles/:roleId',
  'PUT /channels/:channelId/permissions/:overwriteId',
  'DELETE /channels/:channelId/permissions/:overwriteId',
  'DELETE /webhooks/:webhookId',
  `DELETE ${W}`,
  `DELETE ${W}/messages/:messageId`,
  'DELETE /applications/:applicationId/commands/:commandId',
  'DELETE /applications/:applicationId/guilds/:guildId/commands/:commandId',
  'DELETE /users/@me/guilds/:guildId',
]);

/** Routes that answer with a page. */
const PAGES = new Set(['GET /oauth2/authorize', 'POST /oauth2/authorize']);

const refusal = z.union([
  z.object({ code: z.int(), message: z.string().min(1), errors: z.record(z.string(), z.unknown()).optional() }),
  z.object({ message: z.string(), retry_after: z.number().positive(), global: z.boolean() }),
  z.object({ error: z.string(), error_description: z.string() }),
]);

/** Routes that no schema is known for. */
export const routesWithoutSchema = (): string[] =>
  ROUTES.map(({ method, path }) => `${method} ${path}`).filter(
    (name) => ANSWERS[name] === undefined && !SILENT.has(name) && !PAGES.has(name),
  );

/** Fails when an answer lacks what clients read. @param path Without `/api/v10`. */
export function checkAnswer(method: string, path: string, status: number, body: unknown): void {
  const match = matchRoute(ROUTES, method, path.split('?', 1)[0] ?? '');
  const name = match.kind === 'found' ? `${match.route.method} ${match.route.path}` : '';
  if (PAGES.has(name)) return;
  let schema: z.ZodType = refusal;
  if (status < 400) schema = ANSWERS[name] ?? nothing;
  const read = schema.safeParse(body);
  if (!read.success) throw new Error(`${method} ${path} ${status}: ${z.prettifyError(read.error)}`);
  if (status === 204 && body !== undefined) throw new Error(`${method} ${path}: 204 with a body`);
}

const inGuild = { guild_id: id };
const place = { channel_id: id, guild_id: id.optional() };
const presence = z.object({
  ...inGuild,
  // Of a user that may be known: the id alone.
  user: z.object({ id }),
  status: z.enum(['online', 'idle', 'dnd', 'offline']),
  activities: z.array(
    z.object({
      id: z.string(),
      name: z.string().min(1),
      type: z.int(),
      created_at: z.int(),
      state: z.string().optional(),
    }),
  ),
  client_status: z.partialRecord(z.enum(['desktop', 'mobile', 'web']), z.enum(['online', 'idle', 'dnd'])),
});
const dispatchedMessage = message.extend({ guild_id: id.optional(), member: bareMember.optional() });

/** What each dispatch carries: one that is not here does not compile. */
const CARRIES: Readonly<Record<DispatchName, z.ZodType>> = {
  READY: z.object({
    v: z.int(),
    user: ownUser,
    guilds: z.array(z.object({ id, unavailable: z.literal(true) })),
    session_id: z.string(),
    resume_gateway_url: z.string(),
    application: z.object({ id, flags: z.int() }),
  }),
  GUILD_CREATE: guild.extend({
    joined_at: stamp,
    large: z.boolean(),
    member_count: z.int(),
    voice_states: z.array(bareVoiceState),
    members: z.array(member),
    channels: z.array(channel),
    threads: z.array(z.unknown()),
    presences: z.array(presence),
    stage_instances: z.array(z.unknown()),
    guild_scheduled_events: z.array(z.unknown()),
    soundboard_sounds: z.array(z.unknown()),
  }),
  GUILD_UPDATE: guild,
  GUILD_DELETE: z.object({ id }),
  CHANNEL_CREATE: channel,
  CHANNEL_UPDATE: channel,
  CHANNEL_DELETE: channel,
  GUILD_ROLE_CREATE: z.object({ ...inGuild, role }),
  GUILD_ROLE_UPDATE: z.object({ ...inGuild, role }),
  GUILD_ROLE_DELETE: z.object({ ...inGuild, role_id: id }),
  GUILD_MEMBER_ADD: member.extend(inGuild),
  GUILD_MEMBER_UPDATE: member.extend(inGuild),
  GUILD_MEMBER_REMOVE: z.object({ ...inGuild, user }),
  GUILD_MEMBERS_CHUNK: z.object({
    ...inGuild,
    members: z.array(member),
    chunk_index: z.int(),
    chunk_count: z.int().min(1),
    not_found: z.array(id).optional(),
    presences: z.array(presence).optional(),
    nonce: z.string().optional(),
  }),
  VOICE_STATE_UPDATE: voiceState,
  VOICE_SERVER_UPDATE: z.object({ ...inGuild, token: z.string().min(1), endpoint: maybe(z.string()) }),
  MESSAGE_CREATE: dispatchedMessage,
  MESSAGE_UPDATE: dispatchedMessage,
  MESSAGE_DELETE: z.object({ ...place, id }),
  MESSAGE_DELETE_BULK: z.object({ ...place, ids: z.array(id).min(1) }),
  MESSAGE_REACTION_ADD: z.object({ ...place, message_id: id, user_id: id, emoji, burst: z.boolean(), type: z.int() }),
  MESSAGE_REACTION_REMOVE: z.object({
    ...place,
    message_id: id,
    user_id: id,
    emoji,
    burst: z.boolean(),
    type: z.int(),
  }),
  MESSAGE_REACTION_REMOVE_ALL: z.object({ ...place, message_id: id }),
  MESSAGE_REACTION_REMOVE_EMOJI: z.object({ ...place, message_id: id, emoji }),
  TYPING_START: z.object({ ...place, user_id: id, timestamp: z.int(), member: member.optional() }),
  INVITE_CREATE: z.object({
    ...place,
    code: z.string(),
    created_at: stamp,
    max_age: z.int(),
    max_uses: z.int(),
    temporary: z.boolean(),
    uses: z.literal(0),
    inviter: user,
  }),
  INVITE_DELETE: z.object({ ...place, code: z.string() }),
  WEBHOOKS_UPDATE: z.object({ ...place }),
  USER_UPDATE: ownUser,
  PRESENCE_UPDATE: presence,
  RESUMED: z.object({ _trace: z.array(z.string()) }),
  RATE_LIMITED: z.object({
    opcode: z.literal(8),
    retry_after: z.number().positive(),
    meta: z.object({ ...inGuild, nonce: z.string().optional() }),
  }),
  CHANNEL_INFO: z.object({
    ...inGuild,
    channels: z.array(
      z.object({ id, status: maybe(z.string()).optional(), voice_start_time: maybe(z.int()).optional() }),
    ),
  }),
  SOUNDBOARD_SOUNDS: z.object({ ...inGuild, soundboard_sounds: z.array(z.unknown()) }),
  VOICE_CHANNEL_START_TIME_UPDATE: z.object({ ...inGuild, id, voice_start_time: maybe(z.int()) }),
};

const isSent = (name: string): name is DispatchName => (DISPATCHES as readonly string[]).includes(name);

/** Fails when a dispatch lacks what clients read. */
export function checkDispatch(name: string, data: unknown): void {
  if (!isSent(name)) throw new Error(`${name} is not among the dispatches that the sandbox sends`);
  const read = CARRIES[name].safeParse(data);
  if (!read.success) throw new Error(`${name}: ${z.prettifyError(read.error)}`);
}
