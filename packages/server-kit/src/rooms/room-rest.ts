/** Owns the few calls to Discord that rooms need. `DiscordRestClient` of `@guildkit/rest` has them all. */

/** Why a change was made: shown in Discord's audit log. */
export interface AuditOptions {
  readonly reason?: string | undefined;
}

/** One permission overwrite of a new channel. */
export interface RoomOverwrite {
  readonly id: string;
  readonly type: 'role' | 'member';
  readonly allow?: bigint | undefined;
  readonly deny?: bigint | undefined;
}

/** A channel as Discord lists it. */
export interface ListedChannel {
  readonly id: string;
  readonly type: number;
  readonly name?: string | null | undefined;
  readonly user_limit?: number | undefined;
  readonly permission_overwrites?: readonly { readonly id: string; readonly type: number }[] | undefined;
}

/** The calls to Discord. */
export interface RoomRest {
  /** Creates a role that grants nothing by itself. */
  createGuildRole(
    role: { readonly name: string; readonly guildId: string; readonly permissions: bigint },
    options?: AuditOptions,
  ): Promise<{ readonly id: string }>;
  /** Deletes a role. */
  deleteGuildRole(ref: { readonly roleId: string; readonly guildId: string }, options?: AuditOptions): Promise<unknown>;
  /** A guild's roles. */
  getGuildRoles(guildId: string): Promise<readonly { readonly id: string; readonly name: string }[]>;
  /** Creates a voice channel with its overwrites. */
  createVoiceChannel(
    input: {
      readonly name: string;
      readonly guildId: string;
      readonly parentId?: string | undefined;
      readonly userLimit?: number | undefined;
      readonly permissionOverwrites: readonly RoomOverwrite[];
    },
    options?: AuditOptions,
  ): Promise<{ readonly id: string }>;
  /** Deletes a channel. */
  deleteChannel(channelId: string, options?: AuditOptions): Promise<unknown>;
  /** A guild's channels. */
  getChannels(guildId: string): Promise<readonly ListedChannel[]>;
  /** Adds a user to a guild by their own access token. */
  addGuildMember(member: {
    readonly userId: string;
    readonly guildId: string;
    readonly accessToken: string;
    readonly roles: readonly string[];
  }): Promise<unknown>;
  /** Gives a member a role. */
  addGuildMemberRole(
    ref: { readonly userId: string; readonly guildId: string; readonly roleId: string },
    options?: AuditOptions,
  ): Promise<unknown>;
  /** Takes a role from a member. */
  removeGuildMemberRole(
    ref: { readonly userId: string; readonly guildId: string; readonly roleId: string },
    options?: AuditOptions,
  ): Promise<unknown>;
  /** Moves a member who is in voice. */
  moveMember(
    move: { readonly userId: string; readonly guildId: string; readonly channelId: string },
    options?: AuditOptions,
  ): Promise<unknown>;
}

/** Discord's status of an error, `undefined` when there was no answer. */
export function statusOf(error: unknown): number | undefined {
  const { status } = Object(error) as { status?: unknown };
  return typeof status === 'number' ? status : undefined;
}

/** Whether the same call may succeed later. Whether it was carried out is not known then. */
export function mayRepeat(error: unknown): boolean {
  const { retryable } = Object(error) as { retryable?: unknown };
  const status = statusOf(error);
  return retryable === true || status === undefined || status === 429 || status >= 500;
}
