/** Owns the payloads that the client makes of its methods' arguments, and their checks. Refuses sending. */
import type { VoiceStateRequest } from '@guildkit/core';
import type {
  GatewayPresenceUpdateData,
  GatewaySendPayload,
  GatewayUpdatePresence,
  GatewayVoiceStateUpdate,
} from 'discord-api-types/v10';
import { GatewayError } from './errors.js';
import { fields } from './protocol/fields.js';
import { OPCODES } from './protocol/frames.js';
import { isSnowflake } from './protocol/snowflake.js';

/** Docs, Gateway: Sending Events: "events can be up to 4096 bytes long". */
const MAX_PAYLOAD_BYTES = 4_096;
/** Docs, Gateway Events: Update Presence: Status Types. */
const STATUSES: readonly unknown[] = ['online', 'dnd', 'idle', 'invisible', 'offline'];
/** Docs, Gateway Events: Activity Types. */
const MAX_ACTIVITY_TYPE = 5;

/**
 * A payload as it is sent.
 *
 * @throws TypeError when it has no opcode: Discord would close the connection.
 * @throws GatewayError `ERR_GATEWAY_PAYLOAD_TOO_LARGE`.
 */
export function encodePayload(payload: GatewaySendPayload): { readonly encoded: string; readonly bytes: number } {
  if (typeof fields(payload)?.op !== 'number') throw invalid('send', 'op', 'an opcode');
  const encoded = JSON.stringify(payload);
  const bytes = new TextEncoder().encode(encoded).length;
  if (bytes <= MAX_PAYLOAD_BYTES) return { encoded, bytes };
  throw new GatewayError('ERR_GATEWAY_PAYLOAD_TOO_LARGE', `The payload has ${bytes} bytes`);
}

/**
 * Discord docs, Gateway Events: Update Presence.
 *
 * @throws TypeError naming the field: Discord would close the connection.
 */
export function presencePayload(presence: GatewayPresenceUpdateData): GatewayUpdatePresence {
  const { since, activities, status, afk } = (fields(presence) ?? {}) as Partial<Record<string, unknown>>;
  if (since !== null && !(typeof since === 'number' && Number.isSafeInteger(since))) {
    throw invalid('updatePresence', 'since', 'unix ms, or null');
  }
  if (!Array.isArray(activities) || !activities.every(isActivity)) {
    throw invalid(
      'updatePresence',
      'activities',
      `a list of { name, type } with a type from 0 to ${MAX_ACTIVITY_TYPE}`,
    );
  }
  if (!STATUSES.includes(status)) throw invalid('updatePresence', 'status', `one of ${STATUSES.join(', ')}`);
  if (typeof afk !== 'boolean') throw invalid('updatePresence', 'afk', 'true or false');
  return { op: OPCODES.presenceUpdate as GatewayUpdatePresence['op'], d: presence };
}

/**
 * Discord docs, Gateway Events: Update Voice State.
 *
 * @throws TypeError naming the field: Discord would close the connection.
 */
export function voiceStatePayload(request: VoiceStateRequest): GatewayVoiceStateUpdate {
  const { guildId, channelId, selfMute, selfDeaf } = request;
  if (!isId(guildId)) throw invalid('updateVoiceState', 'guildId', 'a guild id');
  if (channelId !== null && !isId(channelId)) throw invalid('updateVoiceState', 'channelId', 'a channel id, or null');
  if (typeof selfMute !== 'boolean') throw invalid('updateVoiceState', 'selfMute', 'true or false');
  if (typeof selfDeaf !== 'boolean') throw invalid('updateVoiceState', 'selfDeaf', 'true or false');
  const d = { guild_id: guildId, channel_id: channelId, self_mute: selfMute, self_deaf: selfDeaf };
  return { op: OPCODES.voiceStateUpdate as GatewayVoiceStateUpdate['op'], d };
}

function isActivity(value: unknown): boolean {
  const { name, type } = fields(value) ?? {};
  return (
    typeof name === 'string' &&
    typeof type === 'number' &&
    Number.isInteger(type) &&
    type >= 0 &&
    type <= MAX_ACTIVITY_TYPE
  );
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && isSnowflake(value);
}

function invalid(method: string, field: string, wanted: string): TypeError {
  return new TypeError(`${method}: "${field}" must be ${wanted}`);
}
