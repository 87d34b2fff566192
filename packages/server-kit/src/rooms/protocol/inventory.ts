/** Owns what Discord's lists of roles and channels say about rooms: whole ones, and what half-done work left. */
import { type RoleMark, readRoleName } from './room.js';

/** A role or channel as it stands in Discord. */
interface Role {
  readonly id: string;
  readonly name: string;
}
interface Channel {
  readonly id: string;
  readonly type: number;
  readonly name?: string | null | undefined;
  readonly user_limit?: number | undefined;
  readonly permission_overwrites?: readonly { readonly id: string }[] | undefined;
}

/** A room that Discord knows. */
export interface FoundRoom extends RoleMark {
  readonly roleId: string;
  readonly channelId: string;
  readonly name: string;
  readonly userLimit: number;
}

/** Everything of rooms in a guild. */
export interface Inventory {
  readonly rooms: readonly FoundRoom[];
  /** Roles without a channel. */
  readonly orphanRoles: readonly (RoleMark & { readonly roleId: string })[];
  /** Channels beyond the first of one marker, each with its role. */
  readonly surplus: readonly { readonly channelId: string; readonly roleId: string; readonly marker: string }[];
}

/** Discord's number of a voice channel. */
const VOICE = 2;

/** Takes stock. Of several rooms with one marker the oldest counts. */
export function takeInventory(roles: readonly Role[], channels: readonly Channel[]): Inventory {
  const ours = roles
    .flatMap(({ id, name }) => {
      const mark = readRoleName(name);
      return mark === undefined ? [] : [{ roleId: id, ...mark }];
    })
    .sort((a, b) => bySnowflake(a.roleId, b.roleId));
  const voice = channels.filter(({ type }) => type === VOICE).sort((a, b) => bySnowflake(a.id, b.id));
  const rooms: FoundRoom[] = [];
  const orphanRoles: Inventory['orphanRoles'][number][] = [];
  const surplus: Inventory['surplus'][number][] = [];
  for (const role of ours) {
    const own = voice.filter(({ permission_overwrites = [] }) =>
      permission_overwrites.some(({ id }) => id === role.roleId),
    );
    if (own.length === 0) orphanRoles.push(role);
    for (const channel of own) {
      if (rooms.some(({ marker }) => marker === role.marker)) {
        surplus.push({ channelId: channel.id, roleId: role.roleId, marker: role.marker });
      } else {
        rooms.push({ ...role, channelId: channel.id, name: channel.name ?? '', userLimit: channel.user_limit ?? 0 });
      }
    }
  }
  return { rooms, orphanRoles, surplus };
}

/** Snowflakes grow with time; by length first, as they are too long for numbers. */
function bySnowflake(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}
