/**
 * Owns how the voice map is written down with a session, for a process that resumes it: such a session is sent no
 * GUILD_CREATE. Versioned and bounded. Refuses to believe what it reads: a record is checked field by field.
 */
import type { VoiceSnapshotMember } from '@guildkit/core';
import { type Fields, fields, objects, text } from './fields.js';
import type { VoiceChannel, VoiceMap } from './voice-map.js';

/** One guild as it was at the session's sequence number. */
export interface StoredVoiceGuild {
  readonly guildId: string;
  readonly members: readonly VoiceSnapshotMember[];
  readonly channels: readonly VoiceChannel[];
}

/** Who was in voice, as it is kept with a session. */
export interface StoredVoice {
  readonly version: 1;
  readonly guilds: readonly StoredVoiceGuild[];
}

/** Raised when the shape changes: a record of another version is as good as none. */
const VERSION = 1 satisfies StoredVoice['version'];

/** People and channels in one record, about 2 MB as JSON. Guilds that do not fit are left out, each as a whole. */
export const MAX_RECORD_ENTRIES = 10_000;

/** Writes down the guilds that are known as a whole. */
export function recordVoice(voice: VoiceMap, belongs: (guildId: string) => boolean): StoredVoice {
  const guilds: StoredVoiceGuild[] = [];
  let room = MAX_RECORD_ENTRIES;
  for (const guildId of voice.completeGuilds()) {
    if (!belongs(guildId)) continue;
    const entries = voice.size(guildId);
    if (entries > room) continue;
    room -= entries;
    guilds.push({ guildId, members: voice.members(guildId), channels: voice.channels(guildId) });
  }
  return { version: VERSION, guilds };
}

/** Reads a record; nothing when it is none, or one of another version. */
export function readVoiceRecord(value: unknown): readonly StoredVoiceGuild[] {
  const record = fields(value);
  if (record?.version !== VERSION) return [];
  const guilds: StoredVoiceGuild[] = [];
  let room = MAX_RECORD_ENTRIES;
  for (const guild of objects(record, 'guilds')) {
    const read = readGuild(guild);
    if (read === undefined) continue;
    room -= read.members.length + read.channels.length;
    if (room < 0) break;
    guilds.push(read);
  }
  return guilds;
}

/** A guild with one wrong entry is not known as a whole. */
function readGuild(guild: Fields): StoredVoiceGuild | undefined {
  const guildId = text(guild, 'guildId');
  const members = every(guild.members, readMember);
  const channels = every(guild.channels, readChannel);
  return guildId === undefined || members === undefined || channels === undefined
    ? undefined
    : { guildId, members, channels };
}

function readMember(value: Fields): VoiceSnapshotMember | undefined {
  const [userId, username, channelId] = [text(value, 'userId'), text(value, 'username'), text(value, 'channelId')];
  const { avatar, mute, deaf, video } = value;
  if (userId === undefined || username === undefined || channelId === undefined) return undefined;
  if (avatar !== null && typeof avatar !== 'string') return undefined;
  if (typeof mute !== 'boolean' || typeof deaf !== 'boolean' || typeof video !== 'boolean') return undefined;
  return { userId, username, avatar, mute, deaf, video, channelId };
}

function readChannel(value: Fields): VoiceChannel | undefined {
  const [channelId, name] = [text(value, 'channelId'), text(value, 'name')];
  return channelId === undefined || name === undefined ? undefined : { channelId, name };
}

/** All of a list, or nothing. */
function every<T>(list: unknown, read: (value: Fields) => T | undefined): T[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const items: T[] = [];
  for (const entry of list) {
    const value = fields(entry);
    const item = value && read(value);
    if (item === undefined) return undefined;
    items.push(item);
  }
  return items;
}
