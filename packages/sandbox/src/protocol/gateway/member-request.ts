/** Owns opcode 8 (Discord docs, Gateway Events: Request Guild Members): which members, in which chunks, how often. */
import {
  type APIGuildMember,
  GatewayDispatchEvents,
  GatewayIntentBits,
  GatewayOpcodes,
  type GatewayPresenceUpdate,
} from 'discord-api-types/v10';
import { memberPayload } from '../payloads/guild.js';
import { type WorldEvent, worldEvent } from '../world/events.js';
import { presenceOf } from '../world/presence.js';
import type { Guild, World } from '../world/types.js';
import { userOf } from '../world/world.js';
import type { ClientRequest } from './frames.js';
import type { Session } from './session.js';

/** An opcode 8. */
export type MemberRequest = Extract<ClientRequest, { kind: 'members' }>;

/** Members in one chunk. */
const CHUNK_MEMBERS = 1000;
/** Members that a query by prefix may ask for. */
const MAX_QUERY_MEMBERS = 100;

/** When each bot may ask for all members of a guild again. */
export class MemberRequestLimits {
  private readonly freeAt = new Map<string, number>();

  constructor(private readonly windowMs: number) {}

  /** Ms to wait; 0 when the request is granted, which counts it. */
  take(botId: string, guildId: string, now: number): number {
    const key = `${botId} ${guildId}`;
    const wait = (this.freeAt.get(key) ?? 0) - now;
    if (wait > 0) return wait;
    for (const [other, at] of this.freeAt) if (at <= now) this.freeAt.delete(other);
    this.freeAt.set(key, now + this.windowMs);
    return 0;
  }
}

/** The chunks that answer a request, or that it comes too soon. */
export function sendMembers(
  world: World,
  guild: Guild,
  session: Session,
  request: MemberRequest,
  limits: { take(botId: string, guildId: string, now: number): number; readonly now: number },
): readonly WorldEvent[] {
  const nonce = request.nonce === undefined ? {} : { nonce: request.nonce };
  if (request.userIds === undefined && request.query === '') {
    // Without the intent the list is not given, and nothing says so.
    if ((session.intents & GatewayIntentBits.GuildMembers) === 0) return [];
    const wait = request.limit === 0 ? limits.take(session.botId, guild.id, limits.now) : 0;
    if (wait > 0) {
      const limited = {
        opcode: GatewayOpcodes.RequestGuildMembers,
        retry_after: wait / 1000,
        meta: { guild_id: guild.id, ...nonce },
      } as const;
      return [worldEvent(GatewayDispatchEvents.RateLimited, guild.id, limited, session.id)];
    }
  }
  const { members, notFound } = selectMembers(world, guild, request);
  const withPresences = request.presences && (session.intents & GatewayIntentBits.GuildPresences) !== 0;
  const count = Math.max(1, Math.ceil(members.length / CHUNK_MEMBERS));
  return Array.from({ length: count }, (_, index) => {
    const chunk = members.slice(index * CHUNK_MEMBERS, (index + 1) * CHUNK_MEMBERS);
    const data = {
      guild_id: guild.id,
      members: chunk,
      chunk_index: index,
      chunk_count: count,
      ...(notFound.length === 0 ? {} : { not_found: [...notFound] }),
      ...(withPresences ? { presences: presencesOfMembers(world, guild, chunk) } : {}),
      ...nonce,
    };
    return worldEvent(GatewayDispatchEvents.GuildMembersChunk, guild.id, data, session.id);
  });
}

function presencesOfMembers(world: World, guild: Guild, members: readonly APIGuildMember[]): GatewayPresenceUpdate[] {
  return members.flatMap(({ user }) => presenceOf(world, guild, user.id) ?? []);
}

function selectMembers(
  world: World,
  guild: Guild,
  { userIds, query = '', limit }: MemberRequest,
): { readonly members: readonly APIGuildMember[]; readonly notFound: readonly string[] } {
  if (userIds !== undefined) {
    const wanted = [...new Set(userIds)];
    const members = wanted.flatMap((id) => {
      const member = guild.members.get(id);
      return member === undefined ? [] : [memberPayload(member, userOf(world, id))];
    });
    return { members, notFound: wanted.filter((id) => !guild.members.has(id)) };
  }
  const isWholeList = query === '' && limit === 0;
  const most = isWholeList
    ? Number.POSITIVE_INFINITY
    : Math.min(limit === 0 ? MAX_QUERY_MEMBERS : limit, MAX_QUERY_MEMBERS);
  const prefix = query.toLowerCase();
  const members: APIGuildMember[] = [];
  for (const member of guild.members.values()) {
    if (members.length >= most) break;
    const user = userOf(world, member.userId);
    const names = [user.username, user.globalName, member.nick];
    if (names.some((name) => name?.toLowerCase().startsWith(prefix))) members.push(memberPayload(member, user));
  }
  return { members, notFound: [] };
}
