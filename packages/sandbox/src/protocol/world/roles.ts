/** Owns a guild's roles: creating, changing, ordering and deleting them. */
import { GatewayDispatchEvents } from 'discord-api-types/v10';
import { rolePayload } from '../payloads/guild.js';
import { type WorldEvent, worldEvent } from './events.js';
import { memberUpdate } from './members.js';
import type { Guild, Role, World } from './types.js';
import { newRole } from './world.js';

/** Most roles of a guild (Discord error 30005). */
export const MAX_ROLES = 250;

/** What can be set of a role; what is left out keeps its value. */
export interface RoleChange {
  readonly name?: string | undefined;
  readonly permissions?: bigint | undefined;
  readonly color?: number | undefined;
  readonly hoist?: boolean | undefined;
  readonly mentionable?: boolean | undefined;
  readonly position?: number | undefined;
}

/** Creates a role at the bottom: of roles in one position the older is higher. */
export function createRole(
  world: World,
  guild: Guild,
  change: RoleChange,
): { readonly role: Role; readonly events: readonly WorldEvent[] } {
  const role = newRole({
    id: world.ids.next(),
    name: 'new role',
    position: 1,
    permissions: guild.roles.get(guild.id)?.permissions ?? 0n,
  });
  apply(role, change);
  guild.roles.set(role.id, role);
  const event = worldEvent(GatewayDispatchEvents.GuildRoleCreate, guild.id, {
    guild_id: guild.id,
    role: rolePayload(role),
  });
  return { role, events: [event] };
}

/** Changes a role. */
export function changeRole(guild: Guild, role: Role, change: RoleChange): readonly WorldEvent[] {
  apply(role, change);
  return [worldEvent(GatewayDispatchEvents.GuildRoleUpdate, guild.id, { guild_id: guild.id, role: rolePayload(role) })];
}

/** Deletes a role: its members lose it, and so do the overwrites that named it. */
export function deleteRole(world: World, guild: Guild, role: Role): readonly WorldEvent[] {
  guild.roles.delete(role.id);
  for (const channel of guild.channels.values()) {
    channel.overwrites = channel.overwrites.filter(({ id }) => id !== role.id);
  }
  const events: WorldEvent[] = [
    worldEvent(GatewayDispatchEvents.GuildRoleDelete, guild.id, { guild_id: guild.id, role_id: role.id }),
  ];
  for (const member of guild.members.values()) {
    if (!member.roles.includes(role.id)) continue;
    member.roles = member.roles.filter((id) => id !== role.id);
    events.push(memberUpdate(world, guild, member));
  }
  return events;
}

function apply(role: Role, change: RoleChange): void {
  if (change.name !== undefined) role.name = change.name;
  if (change.permissions !== undefined) role.permissions = change.permissions;
  if (change.color !== undefined) role.color = change.color;
  if (change.hoist !== undefined) role.hoist = change.hoist;
  if (change.mentionable !== undefined) role.mentionable = change.mentionable;
  if (change.position !== undefined) role.position = change.position;
}
