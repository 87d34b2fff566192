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
  createGuildRole(
    role: { readonly name: string; readonly guildId: string; readonly permissions: bigint },
    options?: AuditOptions,
  ): Promise<{ readonly id: string }>;
  deleteGuildRole(ref: { readonly roleId: string; readonly guildId: string }, options?: AuditOptions): Promise<unknown>;
  getGuildRoles(guildId: string): Promise<readonly { readonly id: string; readonly name: string }[]>;
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
  deleteChannel(channelId: string, options?: AuditOptions): Promise<unknown>;
  getChannels(guildId: string): Promise<readonly ListedChannel[]>;
  getGuildMember(ref: { readonly userId: string; readonly guildId: string }): Promise<unknown>;
  addGuildMember(member: {
    readonly userId: string;
    readonly guildId: string;
    readonly accessToken: string;
    readonly roles: readonly string[];
  }): Promise<unknown>;
  addGuildMemberRole(
    ref: { readonly userId: string; readonly guildId: string; readonly roleId: string },
    options?: AuditOptions,
  ): Promise<unknown>;
  removeGuildMemberRole(
    ref: { readonly userId: string; readonly guildId: string; readonly roleId: string },
    options?: AuditOptions,
  ): Promise<unknown>;
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
