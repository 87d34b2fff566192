/**
 * Owns putting the chunks of a member list together (Discord docs, Gateway Events: Guild Members Chunk): in order,
 * each once. Refuses requests and time.
 */
import type { APIGuildMember, GatewayGuildMembersChunkPresence } from 'discord-api-types/v10';
import { fields, number, objects, text } from './fields.js';

/** One chunk, as far as its form was looked at. */
export interface MemberChunk {
  readonly nonce: string | undefined;
  readonly guildId: string;
  readonly index: number;
  readonly count: number;
  readonly members: readonly APIGuildMember[];
  readonly presences: readonly GatewayGuildMembersChunkPresence[];
  readonly notFound: readonly string[];
}

/** Discord's largest guilds have tens of millions of members, 1,000 a chunk. */
const MAX_CHUNKS = 100_000;

/** Reads the data of a GUILD_MEMBERS_CHUNK; `undefined` when it is none. */
export function readMemberChunk(data: unknown): MemberChunk | undefined {
  const body = fields(data);
  const guildId = text(body, 'guild_id');
  const index = number(body, 'chunk_index');
  const count = number(body, 'chunk_count');
  if (guildId === undefined || !Array.isArray(body?.members)) return undefined;
  if (!isCount(index) || !isCount(count) || index >= count || count > MAX_CHUNKS) return undefined;
  const notFound = Array.isArray(body.not_found) ? body.not_found : [];
  return {
    nonce: text(body, 'nonce'),
    guildId,
    index,
    count,
    members: objects(body, 'members') as unknown as APIGuildMember[],
    presences: objects(body, 'presences') as unknown as GatewayGuildMembersChunkPresence[],
    notFound: notFound.map(String),
  };
}

/** Collects the chunks of one request. */
export class ChunkCollector {
  /** Members so far, in the order of their chunks. */
  readonly members: APIGuildMember[] = [];
  readonly presences: GatewayGuildMembersChunkPresence[] = [];
  private readonly missed = new Set<string>();
  private early = new Map<number, MemberChunk>();
  private next = 0;
  private known: ReadonlySet<string> | undefined;

  /** Ids that are no members, or not visible. */
  get notFound(): string[] {
    return [...this.missed];
  }

  /** Whether anything has come since it was made or begun anew. */
  get hasBegun(): boolean {
    return this.next > 0 || this.early.size > 0;
  }

  /** Takes a chunk. @returns Whether it was the last one that was missing. */
  push(chunk: MemberChunk): boolean {
    if (chunk.index < this.next) return false;
    this.early.set(chunk.index, chunk);
    for (let ready = this.early.get(this.next); ready !== undefined; ready = this.early.get(this.next)) {
      this.early.delete(this.next);
      this.next += 1;
      this.append(ready);
      if (this.next >= ready.count) return true;
    }
    return false;
  }

  /** The answer will come again from its beginning: whoever is here already is not listed twice. */
  restart(): void {
    if (!this.hasBegun) return;
    this.known = new Set(this.members.map(idOf));
    this.early = new Map();
    this.next = 0;
  }

  private append({ members, presences, notFound }: MemberChunk): void {
    const { known } = this;
    for (const member of members) if (!known?.has(idOf(member))) this.members.push(member);
    for (const presence of presences) if (!known?.has(presence.user?.id)) this.presences.push(presence);
    for (const id of notFound) this.missed.add(id);
  }
}

const idOf = (member: APIGuildMember): string => text(fields(member.user), 'id') ?? '';

function isCount(value: number | undefined): value is number {
  return value !== undefined && Number.isSafeInteger(value) && value >= 0;
}
