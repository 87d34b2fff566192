/** Owns the wire shapes of messages, attachments and reactions (Discord docs, Resources: Message). */
import {
  type APIAttachment,
  type APIMessage,
  type APIReaction,
  type APIUser,
  type GatewayMessageCreateDispatchData,
  MessageReferenceType,
  type UserFlags,
} from 'discord-api-types/v10';
import type { ChannelPlace } from '../world/places.js';
import type { Attachment, Member, Message, User, World } from '../world/types.js';
import { userOf } from '../world/world.js';
import { memberPayload, userPayload } from './guild.js';

const NO_USER_FLAGS = 0 as UserFlags;

/** Message object as REST answers it. @param viewerId Whose reactions are `me`. */
export function messagePayload(world: World, place: ChannelPlace, message: Message, viewerId?: string): APIMessage {
  const base = bare(world, message, viewerId);
  if (message.referenceId === null) return base;
  const referenced = place.channel.messages.get(message.referenceId);
  return {
    ...base,
    message_reference: {
      type: MessageReferenceType.Default,
      message_id: message.referenceId,
      channel_id: message.channelId,
      ...(place.kind === 'guild' ? { guild_id: place.guild.id } : {}),
    },
    // One level deep, as Discord: the answer of an answer names only its message.
    referenced_message: referenced === undefined ? null : bare(world, referenced, viewerId),
  };
}

/** Message object as MESSAGE_CREATE and MESSAGE_UPDATE carry it: with guild and members. */
export function messageCreatePayload(
  world: World,
  place: ChannelPlace,
  message: Message,
): GatewayMessageCreateDispatchData {
  const payload = messagePayload(world, place, message);
  if (place.kind === 'dm') return payload;
  const { members } = place.guild;
  const author = message.webhook === null ? members.get(message.authorId) : undefined;
  return {
    ...payload,
    guild_id: place.guild.id,
    ...(author === undefined ? {} : { member: partialMember(author, userOf(world, author.userId)) }),
    mentions: payload.mentions.map((user) => {
      const member = members.get(user.id);
      return member === undefined ? user : { ...user, member: partialMember(member, userOf(world, user.id)) };
    }),
  };
}

/** What a bot without MESSAGE_CONTENT gets: what was written is left out (Discord docs, Gateway: Message Content Intent). */
export function withheld<Payload extends APIMessage>(payload: Payload): Payload {
  return { ...payload, content: '', embeds: [], attachments: [], components: [] };
}

function bare(world: World, message: Message, viewerId: string | undefined): APIMessage {
  return {
    id: message.id,
    channel_id: message.channelId,
    author: authorPayload(world, message),
    content: message.content,
    timestamp: message.timestamp,
    edited_timestamp: message.editedTimestamp,
    tts: message.tts,
    mention_everyone: message.mentionsEveryone,
    mentions: message.mentions.map((id) => userPayload(userOf(world, id))),
    mention_roles: [...message.mentionRoles],
    attachments: message.attachments.map((attachment) =>
      attachmentPayload(world.site.origin, message.channelId, attachment),
    ),
    embeds: message.embeds.map((embed) => ({ ...embed })),
    components: [],
    pinned: false,
    type: message.type,
    flags: message.flags,
    ...(message.reactions.length === 0 ? {} : { reactions: reactionPayloads(message, viewerId) }),
    ...(message.nonce === null ? {} : { nonce: message.nonce }),
    ...(message.webhook === null ? {} : { webhook_id: message.webhook.id }),
  };
}

/** A webhook's author looks like a bot that has the webhook's id. */
function authorPayload(world: World, { authorId, webhook }: Message): APIUser {
  if (webhook === null) return userPayload(userOf(world, authorId));
  return {
    id: webhook.id,
    username: webhook.name,
    discriminator: '0000',
    global_name: null,
    avatar: webhook.avatar,
    bot: true,
    public_flags: NO_USER_FLAGS,
  };
}

function attachmentPayload(origin: string, channelId: string, attachment: Attachment): APIAttachment {
  const url = `${origin}/attachments/${channelId}/${attachment.id}/${encodeURIComponent(attachment.filename)}`;
  return {
    id: attachment.id,
    filename: attachment.filename,
    size: attachment.size,
    url,
    proxy_url: url,
    ...(attachment.contentType === null ? {} : { content_type: attachment.contentType }),
    ...(attachment.description === null ? {} : { description: attachment.description }),
  };
}

function reactionPayloads(message: Message, viewerId: string | undefined): APIReaction[] {
  return message.reactions.map(({ emoji, userIds }) => ({
    emoji: { id: null, name: emoji },
    count: userIds.length,
    count_details: { burst: 0, normal: userIds.length },
    me: viewerId !== undefined && userIds.includes(viewerId),
    me_burst: false,
    burst_colors: [],
  }));
}

function partialMember(member: Member, user: User): Omit<ReturnType<typeof memberPayload>, 'user'> {
  const { user: _user, ...rest } = memberPayload(member, user);
  return rest;
}
