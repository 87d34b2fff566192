/**
 * Owns what clients may send to the gateway: parses a frame to a tagged value. Nothing here throws; what does not
 * parse names the close code it deserves.
 */
import { Redacted } from '@guildkit/core';
import { GatewayOpcodes as Op } from 'discord-api-types/v10';
import { isSnowflake } from '../snowflake.js';
import type { Presence, PresenceActivity } from '../world/types.js';

/** Largest frame a client may send, in bytes (Discord docs, Gateway: Sending Events). */
export const MAX_CLIENT_FRAME_BYTES = 4096;

/** Shard id and count; `invalid` when it was sent and makes no sense. */
export type ShardClaim = readonly [id: number, count: number] | 'invalid' | undefined;

/** How a bot wants to appear; `undefined` as presence: offline. */
export interface PresenceClaim {
  readonly presence: Presence | undefined;
}

/** What a client asks for once it is identified. */
export type ClientRequest =
  | ({ readonly kind: 'presence' } & PresenceClaim)
  | {
      readonly kind: 'voiceState';
      readonly guildId: string;
      readonly channelId: string | null;
      readonly selfMute: boolean;
      readonly selfDeaf: boolean;
      readonly selfVideo: boolean;
    }
  | {
      readonly kind: 'members';
      readonly guildId: string;
      readonly query: string | undefined;
      readonly userIds: readonly string[] | undefined;
      readonly limit: number;
      readonly presences: boolean;
      readonly nonce: string | undefined;
    }
  | { readonly kind: 'soundboard'; readonly guildIds: readonly string[] }
  | { readonly kind: 'channelInfo'; readonly guildId: string; readonly fields: readonly string[] };

/** One frame of a client. */
export type ClientFrame =
  | { readonly kind: 'heartbeat' }
  | {
      readonly kind: 'identify';
      readonly token: Redacted;
      /** As sent: judged with the close code for intents. */
      readonly intents: unknown;
      readonly shard: ShardClaim;
      /** Whether large dispatches may come compressed (Discord docs, Gateway: Payload Compression). */
      readonly compress: boolean;
      /** Members over which a guild is large. */
      readonly largeThreshold: number;
      /** How the bot appears from the beginning. */
      readonly presence: PresenceClaim | undefined;
    }
  | { readonly kind: 'resume'; readonly token: Redacted; readonly sessionId: string; readonly seq: number }
  | { readonly kind: 'request'; readonly request: ClientRequest }
  | { readonly kind: 'invalid'; readonly code: 4001 | 4002; readonly why: string };

type Fields = Readonly<Record<string, unknown>>;

/** Most ids in one member request (Discord docs, Gateway Events: Request Guild Members). */
const MAX_MEMBER_IDS = 100;
/** Longest nonce that is echoed; a longer one is left out, as documented. */
const MAX_NONCE_BYTES = 32;
/** Members over which a guild is large: the default, and what may be asked for (Discord docs, Gateway Events: Identify). */
const LARGE_THRESHOLD = 50;
const MAX_LARGE_THRESHOLD = 250;
const MAX_ACTIVITIES = 25;
const MAX_ACTIVITY_CHARACTERS = 128;
const STATUSES = ['online', 'idle', 'dnd'] as const;

/** Parses the text of a frame. */
export function parseClientFrame(text: string): ClientFrame {
  let payload: unknown;
  try {
    payload = JSON.parse(text);
  } catch {
    return undecodable('not JSON');
  }
  if (!isFields(payload)) return undecodable('not an object');
  const { op, d } = payload;
  if (typeof op !== 'number' || !Number.isInteger(op)) return undecodable('no opcode');
  switch (op) {
    case Op.Heartbeat:
      return d === null || d === undefined || isSeq(d) ? { kind: 'heartbeat' } : undecodable('heartbeat sequence');
    case Op.Identify:
      return parseIdentify(d);
    case Op.Resume:
      return parseResume(d);
    case Op.PresenceUpdate:
      return parsePresenceUpdate(d);
    case Op.VoiceStateUpdate:
      return parseVoiceState(d);
    case Op.RequestGuildMembers:
      return parseMembers(d);
    case Op.RequestSoundboardSounds:
      return parseSoundboard(d);
    case Op.RequestChannelInfo:
      return parseChannelInfo(d);
    default:
      return { kind: 'invalid', code: 4001, why: `opcode ${op}` };
  }
}

function parseIdentify(d: unknown): ClientFrame {
  if (!isFields(d) || typeof d.token !== 'string' || !isFields(d.properties)) return undecodable('identify');
  const presence = d.presence === undefined || d.presence === null ? undefined : parsePresence(d.presence);
  if (presence === 'invalid') return undecodable('identify presence');
  return {
    kind: 'identify',
    token: tokenOf(d.token),
    intents: d.intents,
    shard: parseShard(d.shard),
    compress: d.compress === true,
    largeThreshold: isSeq(d.large_threshold)
      ? Math.min(Math.max(d.large_threshold, LARGE_THRESHOLD), MAX_LARGE_THRESHOLD)
      : LARGE_THRESHOLD,
    presence,
  };
}

function parseResume(d: unknown): ClientFrame {
  if (!isFields(d) || typeof d.token !== 'string' || typeof d.session_id !== 'string' || !isSeq(d.seq)) {
    return undecodable('resume');
  }
  return { kind: 'resume', token: tokenOf(d.token), sessionId: d.session_id, seq: d.seq };
}

/** Unlike documented, the service also takes the token as REST's header has it; clients rely on that. */
const tokenOf = (text: string): Redacted => new Redacted(text.replace(/^Bot /i, ''));

function parseShard(shard: unknown): ShardClaim {
  if (shard === undefined || shard === null) return undefined;
  if (!Array.isArray(shard) || shard.length !== 2) return 'invalid';
  const [id, count] = shard as unknown[];
  if (!isSeq(id) || !isSeq(count) || id >= count) return 'invalid';
  return [id, count];
}

function parsePresenceUpdate(d: unknown): ClientFrame {
  const claim = parsePresence(d);
  return claim === 'invalid' ? undecodable('presence') : { kind: 'request', request: { kind: 'presence', ...claim } };
}

function parsePresence(d: unknown): PresenceClaim | 'invalid' {
  if (!isFields(d)) return 'invalid';
  const { status = 'online', activities = [] } = d;
  if (!Array.isArray(activities) || activities.length > MAX_ACTIVITIES) return 'invalid';
  const parsed: PresenceActivity[] = [];
  for (const activity of activities as unknown[]) {
    if (!isFields(activity) || typeof activity.name !== 'string') return 'invalid';
    const { name, type = 0, state, url } = activity;
    if (!isSeq(type)) return 'invalid';
    parsed.push({
      name: name.slice(0, MAX_ACTIVITY_CHARACTERS),
      type,
      ...(typeof state === 'string' ? { state: state.slice(0, MAX_ACTIVITY_CHARACTERS) } : {}),
      ...(typeof url === 'string' ? { url: url.slice(0, 2 * MAX_ACTIVITY_CHARACTERS) } : {}),
    });
  }
  if (status === 'invisible' || status === 'offline') return { presence: undefined };
  const known = STATUSES.find((name) => name === status);
  return known === undefined ? 'invalid' : { presence: { status: known, activities: parsed } };
}

function parseSoundboard(d: unknown): ClientFrame {
  const ids = isFields(d) ? d.guild_ids : undefined;
  if (!Array.isArray(ids) || !ids.every(isSnowflake)) return undecodable('soundboard request');
  return { kind: 'request', request: { kind: 'soundboard', guildIds: ids } };
}

function parseChannelInfo(d: unknown): ClientFrame {
  if (!isFields(d) || !isSnowflake(d.guild_id) || !Array.isArray(d.fields)) return undecodable('channel info request');
  const fields = (d.fields as unknown[]).filter((field) => typeof field === 'string');
  return { kind: 'request', request: { kind: 'channelInfo', guildId: d.guild_id, fields } };
}

function parseVoiceState(d: unknown): ClientFrame {
  if (!isFields(d) || !isSnowflake(d.guild_id)) return undecodable('voice state');
  const channelId = d.channel_id ?? null;
  if (channelId !== null && !isSnowflake(channelId)) return undecodable('voice state channel');
  const request = {
    kind: 'voiceState',
    guildId: d.guild_id,
    channelId,
    selfMute: d.self_mute === true,
    selfDeaf: d.self_deaf === true,
    selfVideo: d.self_video === true,
  } as const;
  return { kind: 'request', request };
}

function parseMembers(d: unknown): ClientFrame {
  if (!isFields(d)) return undecodable('member request');
  const guildId = Array.isArray(d.guild_id) && d.guild_id.length === 1 ? (d.guild_id[0] as unknown) : d.guild_id;
  if (!isSnowflake(guildId)) return undecodable('member request guild');
  const ids = typeof d.user_ids === 'string' ? [d.user_ids] : d.user_ids;
  if (ids !== undefined && !(Array.isArray(ids) && ids.length <= MAX_MEMBER_IDS && ids.every(isSnowflake))) {
    return undecodable('member request users');
  }
  const query = typeof d.query === 'string' ? d.query : undefined;
  if (ids === undefined && query === undefined) return undecodable('member request without query or users');
  const nonce = typeof d.nonce === 'string' && utf8Length(d.nonce) <= MAX_NONCE_BYTES ? d.nonce : undefined;
  const request = {
    kind: 'members',
    guildId,
    query,
    userIds: ids,
    limit: isSeq(d.limit) ? d.limit : 0,
    presences: d.presences === true,
    nonce,
  } as const;
  return { kind: 'request', request };
}

/** Bytes of a text in UTF-8. */
function utf8Length(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
  }
  return bytes;
}

const undecodable = (why: string): ClientFrame => ({ kind: 'invalid', code: 4002, why });

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isSeq = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
