/** Owns the settings of rooms. */
import { type Clock, check, type Logger, resolveOptions, silentLogger, systemClock } from '@guildkit/core';
import type { RoomRest } from './room-rest.js';
import { memoryRoomStore, type RoomStore } from './room-store.js';

/** What rooms ask of invites; `createInvites()` of `/invites` has it all. */
export interface RoomInvites {
  /** Makes an invite to a new room. */
  create(invite: {
    readonly guildId: string;
    readonly channelId: string;
    readonly roleId: string;
    readonly creatorId: string;
  }): Promise<{ readonly token: string }>;
  /** Looks at an invite; rejects when it is not good. */
  verify(token: string, channelId?: string): Promise<unknown>;
  /** Uses an invite; rejects when it is not good. */
  redeem(token: string, userId: string, channelId?: string): Promise<{ readonly channelId: string }>;
  /** Calls every invite of a room back. */
  revokeRoom(channelId: string): Promise<void>;
}

/** Settings of {@link RoomService}. */
export interface RoomServiceOptions {
  /** The guild that the rooms are in: `PRIMARY_GUILD_ID`. */
  readonly guildId: string;
  /** `DiscordRestClient` fits. */
  readonly rest: RoomRest;
  readonly store?: RoomStore | undefined;
  readonly invites?: RoomInvites | undefined;
  /** The bot's own user id: it gets an overwrite of its own, so that it sees what it hides. */
  readonly botUserId?: string | undefined;
  /** Roles that see every room: moderators, the bots of seats. */
  readonly staffRoleIds?: readonly string[] | undefined;
  /** Most people of a room, 1 to 99. @defaultValue 4 */
  readonly maxUserLimit?: number | undefined;
  /** Most open rooms of one creator: a guild has 250 roles and 500 channels. @defaultValue 10 */
  readonly maxRoomsPerCreator?: number | undefined;
  /** People who look at a room in the app; they keep it open. @defaultValue nobody */
  readonly viewersOf?: ((channelId: string) => number | Promise<number>) | undefined;
  /** Who holds a role, for seats after a restart. @defaultValue who is in the channel */
  readonly holdersOf?:
    | ((room: { guildId: string; roleId: string; channelId: string }) => Promise<readonly string[]>)
    | undefined;
  /** Tells browsers: `(room, event, payload) => hub.publish(room, event, payload)`. Hears of `room.closing`; Discord's own events tell of the rest. */
  readonly publish?:
    | ((
        room: string,
        event: 'room.closing',
        payload: { channelId: string; guildId: string; closesAt: number },
      ) => unknown)
    | undefined;
  /** How often empty rooms are looked at, in ms. @defaultValue 300000 */
  readonly lookEveryMs?: number | undefined;
  /** How long nobody may be in a room, in ms. @defaultValue 3600000 */
  readonly idleMs?: number | undefined;
  /** How long before its end a room is told, in ms. @defaultValue 30000 */
  readonly noticeMs?: number | undefined;
  /** How long a move may take, in ms. @defaultValue 2000 */
  readonly moveTimeoutMs?: number | undefined;
  /** Tries of a call to Discord, beyond those of `rest` itself. @defaultValue 3 */
  readonly tries?: number | undefined;
  /** Upper bound of the first delay between tries, in ms. @defaultValue 500 */
  readonly retryBaseMs?: number | undefined;
  /** Roles without a channel that are younger belong to a creation under way elsewhere, in ms. @defaultValue 120000 */
  readonly orphanGraceMs?: number | undefined;
  /** How long an ended room is remembered, in ms: ending it again is no error. @defaultValue 3600000 */
  readonly rememberEndedMs?: number | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
  /** Numbers in `[0, 1)`, for delays. @defaultValue `Math.random` */
  readonly random?: (() => number) | undefined;
}

/** Options with their defaults. */
export interface RoomSettings {
  readonly guildId: string;
  readonly rest: RoomRest;
  readonly store: RoomStore;
  readonly invites: RoomInvites | undefined;
  readonly botUserId: string | undefined;
  readonly staffRoleIds: readonly string[];
  readonly maxUserLimit: number;
  readonly maxRoomsPerCreator: number;
  readonly viewersOf: NonNullable<RoomServiceOptions['viewersOf']>;
  readonly holdersOf: RoomServiceOptions['holdersOf'];
  readonly publish: RoomServiceOptions['publish'];
  readonly lookEveryMs: number;
  readonly idleMs: number;
  readonly noticeMs: number;
  readonly moveTimeoutMs: number;
  readonly tries: number;
  readonly retryBaseMs: number;
  readonly orphanGraceMs: number;
  readonly rememberEndedMs: number;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
}

const DEFAULTS = {
  guildId: '',
  rest: undefined,
  store: undefined,
  invites: undefined,
  botUserId: undefined,
  staffRoleIds: [] as readonly string[],
  maxUserLimit: 4,
  maxRoomsPerCreator: 10,
  viewersOf: (): number => 0,
  holdersOf: undefined,
  publish: undefined,
  lookEveryMs: 300_000,
  idleMs: 3_600_000,
  noticeMs: 30_000,
  moveTimeoutMs: 2_000,
  tries: 3,
  retryBaseMs: 500,
  orphanGraceMs: 120_000,
  rememberEndedMs: 3_600_000,
  logger: silentLogger,
  clock: systemClock,
  random: Math.random,
};

/** @throws TypeError on options out of range. */
export function resolveRoomOptions(options: RoomServiceOptions): RoomSettings {
  const settings = resolveOptions<object>('RoomService', DEFAULTS, options, {
    guildId: (value: unknown) =>
      typeof value === 'string' && /^[0-9]{1,20}$/.test(value) ? undefined : 'must be a Discord id',
    rest: (value: unknown) =>
      typeof value === 'object' && value !== null ? undefined : 'must be a client of Discord’s REST API',
    maxUserLimit: check.integer(1, 99),
    maxRoomsPerCreator: check.integer(1),
    lookEveryMs: check.integer(1),
    idleMs: check.integer(0),
    noticeMs: check.integer(0),
    moveTimeoutMs: check.integer(1),
    tries: check.integer(1, 20),
    retryBaseMs: check.integer(1),
    orphanGraceMs: check.integer(0),
    rememberEndedMs: check.integer(0),
  } as object) as RoomSettings;
  return { ...settings, store: settings.store ?? memoryRoomStore({ clock: settings.clock }) };
}
