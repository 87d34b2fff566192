/** Owns messages: sending, editing and deleting them, and finding them again. */
import { type APIEmbed, GatewayDispatchEvents, MessageType, PermissionFlagsBits as P } from 'discord-api-types/v10';
import { messageCreatePayload, withheld } from '../payloads/message.js';
import { channelPermissions, mayIn } from './access.js';
import type { WorldEvent } from './events.js';
import { type AllowedMentions, mentionsIn } from './mentions.js';
import { type ChannelPlace, eventIn, guildIdOf } from './places.js';
import type { Attachment, Message, World } from './types.js';

/** Messages kept in one channel; beyond that the oldest are gone. */
export const MAX_KEPT_MESSAGES = 5_000;
/** How long a nonce keeps a second message from being made ("the past few minutes", Discord docs: Create Message). */
const NONCE_WINDOW_MS = 300_000;

/** When something happens: unix ms and ISO 8601. */
export interface Moment {
  readonly now: number;
  readonly stamp: string;
}

/** Who writes. */
export interface Author {
  readonly id: string;
  readonly webhook?: Message['webhook'] | undefined;
}

/** What is written. */
export interface Draft {
  readonly content: string;
  readonly tts?: boolean | undefined;
  readonly embeds?: readonly APIEmbed[] | undefined;
  readonly attachments?: readonly Attachment[] | undefined;
  readonly flags?: number | undefined;
  readonly nonce?: string | number | undefined;
  readonly replyTo?: Message | undefined;
  readonly allowedMentions?: AllowedMentions | undefined;
}

/** A message and what to tell of it. */
export interface MessageResult {
  readonly message: Message;
  readonly events: readonly WorldEvent[];
}

/** Sends a message. */
export function postMessage(
  world: World,
  place: ChannelPlace,
  author: Author,
  draft: Draft,
  at: Moment,
): MessageResult {
  const { channel } = place;
  const mentions = mentionsOf(world, place, author, draft.content, draft.allowedMentions, draft.replyTo);
  const message: Message = {
    id: world.ids.next(),
    channelId: channel.id,
    authorId: author.id,
    webhook: author.webhook ?? null,
    type: draft.replyTo === undefined ? MessageType.Default : MessageType.Reply,
    content: draft.content,
    timestamp: at.stamp,
    sentAt: at.now,
    editedTimestamp: null,
    tts: draft.tts ?? false,
    mentionsEveryone: mentions.everyone,
    mentions: mentions.users,
    mentionRoles: mentions.roles,
    attachments: draft.attachments ?? [],
    embeds: draft.embeds ?? [],
    flags: draft.flags ?? 0,
    nonce: draft.nonce ?? null,
    referenceId: draft.replyTo?.id ?? null,
    reactions: [],
  };
  channel.messages.set(message.id, message);
  channel.lastMessageId = message.id;
  if (channel.messages.size > MAX_KEPT_MESSAGES) {
    const [oldest] = channel.messages.keys();
    channel.messages.delete(oldest ?? '');
  }
  return { message, events: [messageEvent(world, place, GatewayDispatchEvents.MessageCreate, message)] };
}

/** The message that an author sent with the same nonce a moment ago. */
export function sentWithNonce(
  { channel }: ChannelPlace,
  authorId: string,
  nonce: string | number,
  now: number,
): Message | undefined {
  const recent = [...channel.messages.values()].reverse();
  for (const message of recent) {
    if (now - message.sentAt > NONCE_WINDOW_MS) return undefined;
    if (message.authorId === authorId && message.nonce !== null && String(message.nonce) === String(nonce))
      return message;
  }
  return undefined;
}

/** What an edit changes; the rest stays. */
export interface Edit {
  readonly content?: string | undefined;
  readonly embeds?: readonly APIEmbed[] | undefined;
  readonly attachments?: readonly Attachment[] | undefined;
  readonly flags?: number | undefined;
  readonly allowedMentions?: AllowedMentions | undefined;
}

/** Edits a message. */
export function editMessage(
  world: World,
  place: ChannelPlace,
  message: Message,
  edit: Edit,
  at: Moment,
): readonly WorldEvent[] {
  if (edit.content !== undefined) {
    message.content = edit.content;
    const replyTo = message.referenceId === null ? undefined : place.channel.messages.get(message.referenceId);
    const author = { id: message.authorId, webhook: message.webhook };
    const mentions = mentionsOf(world, place, author, edit.content, edit.allowedMentions, replyTo);
    message.mentions = mentions.users;
    message.mentionRoles = mentions.roles;
    message.mentionsEveryone = mentions.everyone;
  }
  if (edit.embeds !== undefined) message.embeds = edit.embeds;
  if (edit.attachments !== undefined) message.attachments = edit.attachments;
  if (edit.flags !== undefined) message.flags = edit.flags;
  message.editedTimestamp = at.stamp;
  return [messageEvent(world, place, GatewayDispatchEvents.MessageUpdate, message)];
}

/** Deletes a message. */
export function deleteMessage(world: World, place: ChannelPlace, message: Message): readonly WorldEvent[] {
  forget(place, [message.id]);
  return [
    eventIn(world, place, GatewayDispatchEvents.MessageDelete, {
      id: message.id,
      channel_id: message.channelId,
      ...guildIdOf(place),
    }),
  ];
}

/** Deletes several messages of a channel at once. Unknown ids are ignored. */
export function deleteMessages(world: World, place: ChannelPlace, ids: readonly string[]): readonly WorldEvent[] {
  const there = ids.filter((id) => place.channel.messages.has(id));
  if (there.length === 0) return [];
  forget(place, there);
  return [
    eventIn(world, place, GatewayDispatchEvents.MessageDeleteBulk, {
      ids: there,
      channel_id: place.channel.id,
      ...guildIdOf(place),
    }),
  ];
}

/** Part of a channel's messages. */
export interface MessagePage {
  readonly limit: number;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  readonly around?: string | undefined;
}

/** Messages of a channel, newest first. */
export function listMessages({ channel }: ChannelPlace, page: MessagePage): readonly Message[] {
  const all = [...channel.messages.values()];
  if (page.around !== undefined) {
    const middle = BigInt(page.around);
    const half = Math.floor(page.limit / 2);
    const older = half === 0 ? [] : all.filter(({ id }) => BigInt(id) < middle).slice(-half);
    const newer = all.filter(({ id }) => BigInt(id) >= middle).slice(0, page.limit - older.length);
    return [...older, ...newer].reverse();
  }
  if (page.after !== undefined) {
    const after = BigInt(page.after);
    return all
      .filter(({ id }) => BigInt(id) > after)
      .slice(0, page.limit)
      .reverse();
  }
  const before = page.before === undefined ? undefined : BigInt(page.before);
  const older = before === undefined ? all : all.filter(({ id }) => BigInt(id) < before);
  return older.slice(-page.limit).reverse();
}

function forget({ channel }: ChannelPlace, ids: readonly string[]): void {
  // `last_message_id` stays: Discord keeps naming a message that is gone.
  for (const id of ids) channel.messages.delete(id);
}

/** MESSAGE_CREATE or MESSAGE_UPDATE, with what bots without MESSAGE_CONTENT get of it. */
function messageEvent(
  world: World,
  place: ChannelPlace,
  name: GatewayDispatchEvents.MessageCreate | GatewayDispatchEvents.MessageUpdate,
  message: Message,
): WorldEvent {
  const data = messageCreatePayload(world, place, message);
  if (place.kind === 'dm') return eventIn(world, place, name, data);
  const except = [message.authorId, ...message.mentions];
  return eventIn(world, place, name, data, { data: withheld(data), except });
}

function mentionsOf(
  world: World,
  place: ChannelPlace,
  author: Author,
  content: string,
  allowed: AllowedMentions | undefined,
  replyTo: Message | undefined,
): ReturnType<typeof mentionsIn> {
  const repliedTo = replyTo === undefined || replyTo.webhook !== null ? undefined : replyTo.authorId;
  if (place.kind === 'dm') {
    const inside = [place.channel.botId, place.channel.userId];
    return mentionsIn(content, allowed, {
      isUser: (id) => inside.includes(id),
      isRole: () => false,
      mayMentionEveryone: false,
      repliedTo,
    });
  }
  const { guild, channel } = place;
  const mayMentionEveryone = author.webhook != null || mayIn(guild, channel, author.id, P.MentionEveryone);
  return mentionsIn(content, allowed, {
    isUser: (id) => world.users.has(id),
    isRole: (id) => guild.roles.has(id) && (mayMentionEveryone || guild.roles.get(id)?.mentionable === true),
    mayMentionEveryone,
    repliedTo,
  });
}

/** Why a user cannot do something in a channel. */
export function mayHere(place: ChannelPlace, userId: string, needed: bigint): 'access' | 'permission' | undefined {
  if (place.kind === 'dm') return undefined;
  const held = channelPermissions(place.guild, place.channel, userId);
  if (held === 0n) return 'access';
  return (held & needed) === needed ? undefined : 'permission';
}
