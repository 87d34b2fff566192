/** Owns the routes about incoming webhooks: managing them, and writing through them. */
import { GatewayDispatchEvents } from 'discord-api-types/v10';
import { webhookPayload } from '../payloads/invite.js';
import { messagePayload } from '../payloads/message.js';
import { randomText } from '../random.js';
import { form, readForm, snowflake, text } from '../rest/form.js';
import { withChannel, withGuild } from '../rest/guard.js';
import { done, failure, invalidForm, missingPermissions, ok, type Reply, unknown } from '../rest/reply.js';
import type { RestContext, Route } from '../rest/router.js';
import { guildPermissions } from '../world/access.js';
import { isTextChannel } from '../world/channels.js';
import { type WorldEvent, worldEvent } from '../world/events.js';
import { deleteMessage, editMessage, postMessage } from '../world/messages.js';
import { bitsOf, holds } from '../world/permissions.js';
import type { ChannelPlace } from '../world/places.js';
import type { Guild, Message, Webhook } from '../world/types.js';
import { edition, emptyMessage, execution, keepFiles, readMessage, unknownAttachment } from './message-form.js';
import { attachmentsAfter, momentOf } from './messages.js';

const READ = { limit: 30, windowMs: 10_000 } as const;
const WRITE = { limit: 5, windowMs: 10_000 } as const;
/** Executing: 5 in 2 s for each webhook. */
const EXECUTE = { limit: 5, windowMs: 2_000 } as const;
/** Webhooks of one channel at most (Discord error 30007). */
const MAX_WEBHOOKS = 15;
const TOKEN_CHARS = 68;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Names that Discord does not let a webhook have (Discord docs, Usernames and Nicknames). */
const name = () =>
  text(1, 80).refine((value) => !/clyde|discord/i.test(value), {
    error: 'USERNAME_INVALID_CONTAINS|Username cannot contain "clyde" or "discord"',
  });
const creation = form({ name: name(), avatar: text(1, 100_000).nullish() });
const modification = form({
  name: name().nullish(),
  avatar: text(1, 100_000).nullish(),
  channel_id: snowflake().nullish(),
});

const BY_TOKEN = '/webhooks/:webhookId/:token';

export const webhookRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/channels/:channelId/webhooks',
    summary: 'Create an incoming webhook',
    auth: 'bot',
    limit: WRITE,
    needs: ['ViewChannel', 'ManageWebhooks'],
    handle: withChannel((context, guild, channel) => {
      const read = readForm(creation, context.body ?? {});
      if (!read.ok) return invalidForm(read.problems);
      if (!isTextChannel(channel)) return failure(400, 50024, 'Cannot execute action on this channel type');
      const { world, bot } = context;
      if ([...guild.webhooks.values()].filter(({ channelId }) => channelId === channel.id).length >= MAX_WEBHOOKS) {
        return failure(400, 30007, `Maximum number of webhooks reached (${MAX_WEBHOOKS})`);
      }
      const webhook: Webhook = {
        id: world.ids.next(),
        token: randomText(world.random, TOKEN_CHARS, ALPHABET),
        creatorId: bot.id,
        channelId: channel.id,
        name: read.value.name,
        avatar: null,
      };
      guild.webhooks.set(webhook.id, webhook);
      return ok(webhookPayload(world, guild, webhook, true), [updated(guild, webhook)]);
    }),
  },
  {
    method: 'GET',
    path: '/channels/:channelId/webhooks',
    summary: 'Webhooks of a channel',
    auth: 'bot',
    limit: READ,
    needs: ['ViewChannel', 'ManageWebhooks'],
    handle: withChannel(({ world }, guild, channel) =>
      ok(
        [...guild.webhooks.values()]
          .filter(({ channelId }) => channelId === channel.id)
          .map((webhook) => webhookPayload(world, guild, webhook, true)),
      ),
    ),
  },
  {
    method: 'GET',
    path: '/guilds/:guildId/webhooks',
    summary: 'Webhooks of a guild',
    auth: 'bot',
    limit: READ,
    needs: ['ManageWebhooks'],
    handle: withGuild(({ world }, guild) =>
      ok([...guild.webhooks.values()].map((webhook) => webhookPayload(world, guild, webhook, true))),
    ),
  },
  {
    method: 'GET',
    path: '/webhooks/:webhookId',
    summary: 'A webhook',
    auth: 'bot',
    limit: READ,
    handle: managed(({ world }, guild, webhook) => ok(webhookPayload(world, guild, webhook, true))),
  },
  {
    method: 'PATCH',
    path: '/webhooks/:webhookId',
    summary: 'Change a webhook’s name or channel',
    auth: 'bot',
    limit: WRITE,
    handle: managed((context, guild, webhook) => modify(context, guild, webhook, true)),
  },
  {
    method: 'DELETE',
    path: '/webhooks/:webhookId',
    summary: 'Delete a webhook',
    auth: 'bot',
    limit: WRITE,
    handle: managed((_context, guild, webhook) => remove(guild, webhook)),
  },
  {
    method: 'GET',
    path: BY_TOKEN,
    summary: 'A webhook, by its token',
    auth: 'none',
    limit: READ,
    handle: byToken(({ world }, guild, webhook) => ok(webhookPayload(world, guild, webhook, false))),
  },
  {
    method: 'PATCH',
    path: BY_TOKEN,
    summary: 'Change a webhook’s name, by its token',
    auth: 'none',
    limit: WRITE,
    handle: byToken((context, guild, webhook) => modify(context, guild, webhook, false)),
  },
  {
    method: 'DELETE',
    path: BY_TOKEN,
    summary: 'Delete a webhook, by its token',
    auth: 'none',
    limit: WRITE,
    handle: byToken((_context, guild, webhook) => remove(guild, webhook)),
  },
  {
    method: 'POST',
    path: BY_TOKEN,
    summary: 'Write through a webhook; with `wait=true` the answer is the message',
    auth: 'none',
    limit: EXECUTE,
    takes: 'files',
    handle: byToken(execute),
  },
  {
    method: 'GET',
    path: `${BY_TOKEN}/messages/:messageId`,
    summary: 'A message of a webhook',
    auth: 'none',
    limit: READ,
    handle: ownMessage((context, place, message) => ok(messagePayload(context.world, place, message))),
  },
  {
    method: 'PATCH',
    path: `${BY_TOKEN}/messages/:messageId`,
    summary: 'Edit a message of a webhook',
    auth: 'none',
    limit: EXECUTE,
    takes: 'files',
    handle: ownMessage((context, place, message) => {
      const read = readMessage(edition, context);
      if ('reply' in read) return read.reply;
      const { parts, form: input } = read;
      const attachments = attachmentsAfter(context, message, input.attachments);
      const left = attachments ?? message.attachments;
      const embeds = parts.embeds ?? message.embeds;
      if ((parts.content ?? message.content) === '' && embeds.length === 0 && left.length === 0) return emptyMessage();
      const events = editMessage(context.world, place, message, { ...parts, attachments }, momentOf(context));
      return ok(messagePayload(context.world, place, message), events);
    }),
  },
  {
    method: 'DELETE',
    path: `${BY_TOKEN}/messages/:messageId`,
    summary: 'Delete a message of a webhook',
    auth: 'none',
    limit: EXECUTE,
    handle: ownMessage((context, place, message) => done(deleteMessage(context.world, place, message))),
  },
];

type WebhookHandler = (context: RestContext, guild: Guild, webhook: Webhook) => Reply;

function findWebhook({ world, params }: RestContext): { guild: Guild; webhook: Webhook } | undefined {
  for (const guild of world.guilds.values()) {
    const webhook = guild.webhooks.get(params.webhookId ?? '');
    if (webhook !== undefined) return { guild, webhook };
  }
  return undefined;
}

/** Calls a handler for a bot that manages webhooks. */
function managed(handle: WebhookHandler): (context: RestContext) => Reply {
  return (context) => {
    const found = findWebhook(context);
    if (found === undefined || !context.bot.guildIds.has(found.guild.id)) return unknown('Webhook');
    const held = guildPermissions(found.guild, context.bot.id);
    if (!holds(held, bitsOf(['ManageWebhooks']))) return missingPermissions();
    return handle(context, found.guild, found.webhook);
  };
}

/** Calls a handler for whoever has the webhook's token. */
function byToken(handle: WebhookHandler): (context: RestContext) => Reply {
  return (context) => {
    const found = findWebhook(context);
    if (found === undefined) return unknown('Webhook');
    if (found.webhook.token !== context.params.token) return failure(401, 50027, 'Invalid Webhook Token');
    return handle(context, found.guild, found.webhook);
  };
}

function ownMessage(
  handle: (context: RestContext, place: ChannelPlace, message: Message) => Reply,
): (context: RestContext) => Reply {
  return byToken((context, guild, webhook) => {
    const channel = guild.channels.get(webhook.channelId);
    const message = channel?.messages.get(context.params.messageId ?? '');
    if (channel === undefined || message?.webhook?.id !== webhook.id) return unknown('Message');
    return handle(context, { kind: 'guild', guild, channel }, message);
  });
}

function modify(context: RestContext, guild: Guild, webhook: Webhook, byBot: boolean): Reply {
  const read = readForm(modification, context.body ?? {});
  if (!read.ok) return invalidForm(read.problems);
  const { name: newName, channel_id: channelId } = read.value;
  const channel = byBot && channelId != null ? guild.channels.get(channelId) : undefined;
  if (byBot && channelId != null && (channel === undefined || !isTextChannel(channel))) return unknown('Channel');
  if (newName != null) webhook.name = newName;
  if (channel !== undefined) webhook.channelId = channel.id;
  return ok(webhookPayload(context.world, guild, webhook, byBot), [updated(guild, webhook)]);
}

function remove(guild: Guild, webhook: Webhook): Reply {
  guild.webhooks.delete(webhook.id);
  return done([updated(guild, webhook)]);
}

function execute(context: RestContext, guild: Guild, webhook: Webhook): Reply {
  const channel = guild.channels.get(webhook.channelId);
  if (channel === undefined) return unknown('Channel');
  const read = readMessage(execution, context);
  if ('reply' in read) return read.reply;
  const { form: input, parts } = read;
  const lost = unknownAttachment(context, input.attachments);
  if (lost !== undefined) return lost;
  if (!parts.content && !parts.embeds?.length && context.files.length === 0) return emptyMessage();
  const place: ChannelPlace = { kind: 'guild', guild, channel };
  const look = { id: webhook.id, name: input.username ?? webhook.name, avatar: webhook.avatar };
  const { message, events } = postMessage(
    context.world,
    place,
    { id: webhook.id, webhook: look },
    {
      content: parts.content ?? '',
      tts: input.tts ?? false,
      embeds: parts.embeds,
      attachments: keepFiles(context, input.attachments),
      flags: parts.flags,
      allowedMentions: parts.allowedMentions,
    },
    momentOf(context),
  );
  return context.query.wait === 'true' ? ok(messagePayload(context.world, place, message), events) : done(events);
}

const updated = (guild: Guild, { channelId }: Webhook): WorldEvent =>
  worldEvent(GatewayDispatchEvents.WebhooksUpdate, guild.id, { guild_id: guild.id, channel_id: channelId });
