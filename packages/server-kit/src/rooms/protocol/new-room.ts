/** Owns what may be asked of a new room. Refuses nothing by itself: it says what is wrong with which field. */
import { toLogText } from '@guildkit/core';
import type { FieldProblem } from '../../shared/safe-response.js';

/** What is looked at. */
interface Asked {
  readonly creatorId: string;
  readonly name?: string | undefined;
  readonly parentId?: string | undefined;
  readonly userLimit?: number | undefined;
  readonly idempotencyKey?: string | undefined;
}

/** What is wrong; empty when nothing is. */
export function newRoomProblems(
  { creatorId, name = 'Room', userLimit = 1, parentId, idempotencyKey = 'k' }: Asked,
  maxUserLimit: number,
): readonly FieldProblem[] {
  const isId = (value: string): boolean => /^[0-9]{1,20}$/.test(value);
  return [
    ...(isId(creatorId) ? [] : [{ path: 'creatorId', message: 'must be a Discord id' }]),
    ...(cleanName(name) !== '' && name.length <= 100 ? [] : [{ path: 'name', message: 'must have 1 to 100 letters' }]),
    ...(Number.isSafeInteger(userLimit) && userLimit >= 1 && userLimit <= maxUserLimit
      ? []
      : [{ path: 'userLimit', message: `must be from 1 to ${maxUserLimit}` }]),
    ...(parentId === undefined || isId(parentId) ? [] : [{ path: 'parentId', message: 'must be a Discord id' }]),
    ...(idempotencyKey.length >= 1 && idempotencyKey.length <= 200
      ? []
      : [{ path: 'idempotencyKey', message: 'must have 1 to 200 letters' }]),
  ];
}

/** Discord refuses what is no letter; what is invisible helps nobody. */
export function cleanName(name: string): string {
  return toLogText(String(name), 100).trim();
}
