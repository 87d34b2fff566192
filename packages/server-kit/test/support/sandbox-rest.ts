/** The few calls of rooms over fetch, against the sandbox; a script of faults and a crash can be put between. */
import type { RoomRest } from '@guildkit/server-kit/rooms';

/** An answer of Discord that is an error. */
export class ApiError extends Error {
  readonly retryable: boolean;
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.retryable = status >= 500;
  }
}

/** The process is gone: nothing that it calls goes out any more. */
export class Crash extends Error {
  readonly status = 599;
}

/** What happens to a call: it is carried out or not, and answered or not. */
export type Fault = 'none' | 'lostRequest' | 'lostAnswer' | 'refused';

/** Calls Discord. `before` decides on each call by its number, from 1. */
export function sandboxRest(
  { token, apiBase }: { readonly token: string; readonly apiBase: string },
  fault: (call: number, name: string) => Fault | 'crashBefore' | 'crashAfter' = () => 'none',
): RoomRest & {
  readonly calls: string[];
  getGuildMember(ref: { readonly userId: string; readonly guildId: string }): Promise<unknown>;
} {
  const calls: string[] = [];
  let crashed = false;

  async function call<T>(name: string, method: string, path: string, body?: unknown): Promise<T> {
    if (crashed) throw new Crash('the process is gone');
    calls.push(name);
    const what = fault(calls.length, name);
    crashed = what === 'crashBefore' || what === 'crashAfter';
    if (what === 'crashBefore') throw new Crash('before');
    if (what === 'lostRequest') throw new ApiError(503, 'lost on its way');
    if (what === 'refused') throw new ApiError(403, 'Missing Permissions');
    const response = await fetch(`${apiBase}${path}`, {
      method,
      headers: { authorization: `Bot ${token}`, 'content-type': 'application/json' },
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body, (_, value) => (typeof value === 'bigint' ? String(value) : value)) }),
    });
    const text = await response.text();
    if (what === 'crashAfter') throw new Crash('after');
    if (what === 'lostAnswer') throw new ApiError(502, 'the answer was lost');
    if (!response.ok) throw new ApiError(response.status, text);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  return {
    calls,
    createGuildRole: ({ guildId, ...role }) => call('createGuildRole', 'POST', `/guilds/${guildId}/roles`, role),
    deleteGuildRole: ({ guildId, roleId }) => call('deleteGuildRole', 'DELETE', `/guilds/${guildId}/roles/${roleId}`),
    getGuildRoles: (guildId) => call('getGuildRoles', 'GET', `/guilds/${guildId}/roles`),
    createVoiceChannel: ({ guildId, name, parentId, userLimit, permissionOverwrites }) =>
      call('createVoiceChannel', 'POST', `/guilds/${guildId}/channels`, {
        name,
        type: 2,
        parent_id: parentId,
        user_limit: userLimit,
        permission_overwrites: permissionOverwrites.map(({ id, type, allow = 0n, deny = 0n }) => ({
          id,
          type: type === 'role' ? 0 : 1,
          allow,
          deny,
        })),
      }),
    deleteChannel: (channelId) => call('deleteChannel', 'DELETE', `/channels/${channelId}`),
    getChannels: (guildId) => call('getChannels', 'GET', `/guilds/${guildId}/channels`),
    getGuildMember: ({ guildId, userId }) => call('getGuildMember', 'GET', `/guilds/${guildId}/members/${userId}`),
    addGuildMember: ({ guildId, userId, accessToken, roles }) =>
      call('addGuildMember', 'PUT', `/guilds/${guildId}/members/${userId}`, { access_token: accessToken, roles }),
    addGuildMemberRole: ({ guildId, userId, roleId }) =>
      call('addGuildMemberRole', 'PUT', `/guilds/${guildId}/members/${userId}/roles/${roleId}`),
    removeGuildMemberRole: ({ guildId, userId, roleId }) =>
      call('removeGuildMemberRole', 'DELETE', `/guilds/${guildId}/members/${userId}/roles/${roleId}`),
    moveMember: ({ guildId, userId, channelId }) =>
      call('moveMember', 'PATCH', `/guilds/${guildId}/members/${userId}`, { channel_id: channelId }),
  };
}
