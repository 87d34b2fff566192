/** Owns the JSON messages of the voice gateway that concern DAVE: ops 11, 13, 21, 22, 24. Refuses what is not shaped as documented. */
import type { DaveInput } from './dave-types.js';

const SNOWFLAKE = /^\d{1,20}$/;
const isUserId = (value: unknown): value is string => typeof value === 'string' && SNOWFLAKE.test(value);
const isU16 = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff;

/** The input that a message of the voice gateway is, `undefined` when it is none or not well-formed. */
export function daveInputOf(op: number, d: unknown): DaveInput | undefined {
  if (typeof d !== 'object' || d === null) return undefined;
  const { user_ids, user_id, protocol_version, transition_id, epoch } = d as Record<string, unknown>;
  switch (op) {
    case 11:
      return Array.isArray(user_ids) ? { type: 'clientsConnect', userIds: user_ids.filter(isUserId) } : undefined;
    case 13:
      return isUserId(user_id) ? { type: 'clientDisconnect', userId: user_id } : undefined;
    case 21:
      if (!isU16(protocol_version) || !isU16(transition_id)) return undefined;
      return { type: 'prepareTransition', protocolVersion: protocol_version, transitionId: transition_id };
    case 22:
      return isU16(transition_id) ? { type: 'executeTransition', transitionId: transition_id } : undefined;
    case 24:
      if (!isU16(protocol_version) || typeof epoch !== 'number' || !Number.isSafeInteger(epoch)) return undefined;
      return { type: 'prepareEpoch', protocolVersion: protocol_version, epoch };
    default:
      return undefined;
  }
}
