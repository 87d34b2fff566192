/**
 * Owns how a dispatch becomes domain events. Pure but for the {@link VoiceMap} that it keeps: the time comes in from
 * outside, nothing is thrown. Refuses dispatches of other guilds and bodies that are not as documented.
 */
import type { DiscordPerson, DomainEventName, DomainEvents, VoiceSnapshotMember } from '@guildkit/core';
import { type Fields, fields, number, objects, text } from './fields.js';
import { snowflakeTime } from './snowflake.js';
import type { VoiceChange, VoiceChannel, VoiceMap } from './voice-map.js';

/** A domain event before it has ids. */
export type TranslatedEvent = {
  [Name in DomainEventName]: { readonly event: Name; readonly payload: DomainEvents[Name] };
}[DomainEventName];

/** What came of a dispatch. */
export interface Translation {
  readonly events: readonly TranslatedEvent[];
  /** What was wrong with the body; holds nothing of its content. */
  readonly problem?: string | undefined;
}

/** What a translation needs beside the dispatch. */
export interface TranslateContext {
  readonly voice: VoiceMap;
  /** When the dispatch was seen, unix ms. */
  readonly now: number;
  /** Guilds that are translated; `undefined` for all. */
  readonly guildIds: ReadonlySet<string> | undefined;
}

type Translator = (body: Fields, context: TranslateContext) => readonly TranslatedEvent[] | undefined;

const NOTHING: Translation = { events: [] };

/** Voice and stage channels (Discord docs, Channel: Channel Types). */
const VOICE_CHANNEL_TYPES: ReadonlySet<number> = new Set([2, 13]);

/** Dispatches that only yield events, and which. */
const STATELESS = {
  MESSAGE_CREATE: 'message.created',
  MESSAGE_UPDATE: 'message.updated',
  MESSAGE_DELETE: 'message.deleted',
  MESSAGE_DELETE_BULK: 'message.deleted',
  MESSAGE_REACTION_ADD: 'reaction.added',
  MESSAGE_REACTION_REMOVE: 'reaction.removed',
  TYPING_START: 'typing.started',
} as const satisfies Readonly<Record<string, DomainEventName>>;

/** Whether a dispatch of that name changes what is known of guilds: it must be translated even if nobody listens. */
export function keepsState(name: string): boolean {
  return Object.hasOwn(TRANSLATORS, name) && !Object.hasOwn(STATELESS, name);
}

/** The event that a dispatch without such an effect yields; the others need not be parsed when nobody listens to it. */
export function eventOf(name: string): DomainEventName | undefined {
  return Object.hasOwn(STATELESS, name) ? STATELESS[name as keyof typeof STATELESS] : undefined;
}

/** Translates one dispatch. */
export function translate(name: string, data: unknown, context: TranslateContext): Translation {
  const translator = Object.hasOwn(TRANSLATORS, name) ? TRANSLATORS[name as keyof typeof TRANSLATORS] : undefined;
  if (translator === undefined) return NOTHING;
  const body = fields(data);
  if (body === undefined) return { events: [], problem: `${name}: the body is not an object` };
  const guildId = text(body, name.startsWith('GUILD_') ? 'id' : 'guild_id');
  if (context.guildIds !== undefined && (guildId === undefined || !context.guildIds.has(guildId))) return NOTHING;
  const events = translator(body, context);
  return events === undefined ? { events: [], problem: `${name}: a required field is missing or wrong` } : { events };
}

/** Each returns `undefined` when a field it cannot do without is missing. */
const TRANSLATORS = {
  GUILD_CREATE(body, { voice, now }) {
    const guildId = text(body, 'id');
    if (guildId === undefined) return undefined;
    // Docs, Gateway Events: Guild Create: may be an unavailable guild, which says nothing about who is in voice.
    if (body.unavailable === true) return [];
    const people = new Map(objects(body, 'members').map((member) => [text(fields(member.user), 'id'), member]));
    const members: VoiceSnapshotMember[] = [];
    for (const state of objects(body, 'voice_states')) {
      const userId = text(state, 'user_id');
      const channelId = text(state, 'channel_id');
      if (userId === undefined || channelId === undefined) continue;
      const member = people.get(userId) ?? fields(state.member);
      members.push({ ...person(userId, member, voice.member(guildId, userId)), ...flags(state), channelId });
    }
    const channels: VoiceChannel[] = [];
    for (const channel of objects(body, 'channels')) {
      const known = voiceChannel(channel);
      if (known !== undefined) channels.push(known);
    }
    const happened = voice.replace(guildId, members, channels).map((change) => fromChange(guildId, change, now));
    return [...happened, { event: 'voice.snapshot', payload: { guildId, members, channels, timestamp: now } }];
  },

  GUILD_DELETE(body, { voice, now }) {
    const guildId = text(body, 'id');
    if (guildId === undefined) return undefined;
    // An outage, not a farewell: what we know is kept, and the next GUILD_CREATE tells what happened meanwhile.
    if (body.unavailable === true) return [];
    return voice.removeGuild(guildId).map((change) => fromChange(guildId, change, now));
  },

  VOICE_STATE_UPDATE(body, { voice, now }) {
    const userId = text(body, 'user_id');
    if (userId === undefined || (body.channel_id !== null && typeof body.channel_id !== 'string')) return undefined;
    const guildId = text(body, 'guild_id');
    // A call in a direct message.
    if (guildId === undefined) return [];
    const who = person(userId, fields(body.member), voice.member(guildId, userId));
    const presence = { ...who, ...flags(body), channelId: body.channel_id };
    return voice.setPresence(guildId, presence).map((change) => fromChange(guildId, change, now));
  },

  CHANNEL_CREATE: noteChannel,
  CHANNEL_UPDATE(body, context) {
    // Only the name can have changed, and no event tells that.
    return noteChannel(body, context) && [];
  },

  CHANNEL_DELETE(body, { voice, now }) {
    const channelId = text(body, 'id');
    if (channelId === undefined) return undefined;
    const guildId = text(body, 'guild_id');
    if (guildId === undefined || !isVoice(body)) return [];
    return voice.removeChannel(guildId, channelId).map((change) => fromChange(guildId, change, now));
  },

  MESSAGE_CREATE: (body) => message('message.created', body),
  // An update that only adds an embed may come without author and content: nothing that a chat shows has changed.
  MESSAGE_UPDATE: (body) =>
    body.author === undefined || body.content === undefined ? [] : message('message.updated', body),

  MESSAGE_DELETE(body) {
    const place = messagePlace(body, text(body, 'id'));
    return place && [{ event: 'message.deleted', payload: place }];
  },

  MESSAGE_DELETE_BULK(body) {
    if (!Array.isArray(body.ids)) return undefined;
    const places = body.ids.map((id) => messagePlace(body, typeof id === 'string' ? id : undefined));
    return places
      .filter((place) => place !== undefined)
      .map((payload): TranslatedEvent => ({ event: 'message.deleted', payload }));
  },

  MESSAGE_REACTION_ADD: (body) => reaction('reaction.added', body),
  MESSAGE_REACTION_REMOVE: (body) => reaction('reaction.removed', body),

  TYPING_START(body, { now }) {
    const channelId = text(body, 'channel_id');
    const userId = text(body, 'user_id');
    if (channelId === undefined || userId === undefined) return undefined;
    const seconds = number(body, 'timestamp');
    const timestamp = seconds === undefined ? now : seconds * 1_000;
    return [
      { event: 'typing.started', payload: { guildId: text(body, 'guild_id') ?? null, channelId, userId, timestamp } },
    ];
  },
} as const satisfies Readonly<Record<string, Translator>>;

function noteChannel(body: Fields, { voice, now }: TranslateContext): readonly TranslatedEvent[] | undefined {
  const guildId = text(body, 'guild_id');
  if (guildId === undefined || !isVoice(body)) return [];
  const channel = voiceChannel(body);
  return channel && voice.setChannel(guildId, channel).map((change) => fromChange(guildId, change, now));
}

function isVoice(channel: Fields): boolean {
  return VOICE_CHANNEL_TYPES.has(number(channel, 'type') ?? -1);
}

function voiceChannel(channel: Fields): VoiceChannel | undefined {
  const channelId = text(channel, 'id');
  return channelId === undefined || !isVoice(channel) ? undefined : { channelId, name: text(channel, 'name') ?? '' };
}

function fromChange(guildId: string, change: VoiceChange, timestamp: number): TranslatedEvent {
  switch (change.kind) {
    case 'joined':
      return { event: 'voice.joined', payload: { guildId, ...change.member, timestamp } };
    case 'updated':
      return { event: 'voice.updated', payload: { guildId, ...change.member, timestamp } };
    case 'moved': {
      const { member, fromChannelId } = change;
      return { event: 'voice.moved', payload: { guildId, ...member, fromChannelId, timestamp } };
    }
    case 'left': {
      const { userId, username, avatar } = change.member;
      return {
        event: 'voice.left',
        payload: { guildId, channelId: change.channelId, userId, username, avatar, timestamp },
      };
    }
    case 'channelCreated':
      return { event: 'channel.created', payload: { channelId: change.channelId, guildId, name: change.name } };
    case 'channelDeleted':
      return { event: 'channel.deleted', payload: { channelId: change.channelId, guildId } };
  }
}

/** Nickname, else display name, else user name; without any of them what was known before, at worst the id. */
function person(userId: string, member: Fields | undefined, before: DiscordPerson | undefined): DiscordPerson {
  const user = fields(member?.user);
  const name = text(member, 'nick') ?? text(user, 'global_name') ?? text(user, 'username');
  return {
    userId,
    username: name ?? before?.username ?? userId,
    avatar: user === undefined ? (before?.avatar ?? null) : (text(user, 'avatar') ?? null),
  };
}

/** Docs, Voice: Voice State Object. What a person chose and what a moderator set come to the same here. */
function flags(state: Fields): { mute: boolean; deaf: boolean; video: boolean } {
  return {
    mute: state.mute === true || state.self_mute === true || state.suppress === true,
    deaf: state.deaf === true || state.self_deaf === true,
    video: state.self_video === true,
  };
}

function message(event: 'message.created' | 'message.updated', body: Fields): TranslatedEvent[] | undefined {
  const place = messagePlace(body, text(body, 'id'));
  const author = fields(body.author);
  const userId = text(author, 'id');
  const timestamp = place && snowflakeTime(place.messageId);
  if (place === undefined || userId === undefined || timestamp === undefined) return undefined;
  // `member` comes without its user here.
  const who = person(userId, { nick: fields(body.member)?.nick, user: author }, undefined);
  return [{ event, payload: { ...place, ...who, content: text(body, 'content') ?? '', timestamp } }];
}

function reaction(event: 'reaction.added' | 'reaction.removed', body: Fields): TranslatedEvent[] | undefined {
  const place = messagePlace(body, text(body, 'message_id'));
  const userId = text(body, 'user_id');
  const emoji = fields(body.emoji);
  const name = text(emoji, 'name');
  const id = text(emoji, 'id');
  if (place === undefined || userId === undefined || (name === undefined && id === undefined)) return undefined;
  // A custom emoji that was deleted has no name any more.
  return [{ event, payload: { ...place, userId, emoji: id === undefined ? (name as string) : `${name ?? ''}:${id}` } }];
}

function messagePlace(
  body: Fields,
  messageId: string | undefined,
): { guildId: string | null; channelId: string; messageId: string } | undefined {
  const channelId = text(body, 'channel_id');
  if (channelId === undefined || messageId === undefined) return undefined;
  return { guildId: text(body, 'guild_id') ?? null, channelId, messageId };
}
