/** Owns what a room is, and how its role's name says so in Discord itself, where it outlives every process. */

/** A room. */
export interface RoomRecord {
  readonly guildId: string;
  readonly channelId: string;
  readonly roleId: string;
  readonly name: string;
  readonly creatorId: string;
  /** How many may hold the role. */
  readonly userLimit: number;
  /** Names the call that created it. */
  readonly marker: string;
  /** Unix ms. */
  readonly createdAt: number;
  readonly state: 'open' | 'ending' | 'ended';
  /** Who was given the role. */
  readonly holders: readonly string[];
  /** Unix ms. */
  readonly endedAt?: number | undefined;
}

/** What a role's name says. */
export interface RoleMark {
  readonly marker: string;
  readonly creatorId: string;
}

const MARK = /^room ([0-9a-f]{16}) ([0-9]{1,20})$/;

/** The name of a room's role. */
export function roleName({ marker, creatorId }: RoleMark): string {
  return `room ${marker} ${creatorId}`;
}

/** Reads a role's name; `undefined` for roles of others. */
export function readRoleName(name: string): RoleMark | undefined {
  const match = MARK.exec(name);
  return match === null ? undefined : { marker: match[1] as string, creatorId: match[2] as string };
}
