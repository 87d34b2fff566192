/**
 * Owns who has which room open, for all processes: leases in a hash for each room. What is said of many rooms within one
 * turn goes to Redis together: a process renews all its leases at once.
 */
import { SET_VIEWERS, VIEWERS } from './engine-scripts.js';
import type { ManyRooms } from './many-rooms.js';
import type { ScriptRunner } from './scripts.js';

/** What the leases need of their engine. */
export interface ViewerLeasesHost {
  readonly runner: ScriptRunner;
  readonly manyRooms: ManyRooms;
  /** The time for a script: `''` for the server's. */
  time(): string;
}

interface Lease {
  readonly key: string;
  readonly node: string;
  readonly list: string;
  readonly ttlMs: number;
}

/** Leases of viewers. */
export class ViewerLeases {
  private readonly host: ViewerLeasesHost;
  private waiting: { readonly leases: Lease[]; readonly told: Promise<void> } | undefined;

  constructor(host: ViewerLeasesHost) {
    this.host = host;
  }

  /** Replaces what a process said of a room; an empty list takes it back. Rejects when Redis does not take it. */
  set(key: string, node: string, userIds: readonly string[], ttlMs: number): Promise<void> {
    const list = userIds.length === 0 ? '' : JSON.stringify(userIds);
    if (this.waiting === undefined) {
      const leases: Lease[] = [];
      this.waiting = { leases, told: Promise.resolve().then(() => this.tell(leases)) };
    }
    this.waiting.leases.push({ key, node, list, ttlMs });
    return this.waiting.told;
  }

  /** The users of all processes, each once. */
  async list(key: string): Promise<readonly string[]> {
    const lists = (await this.host.runner.run(VIEWERS, [key], [this.host.time()])) as string[];
    return [...new Set(lists.flatMap((list) => JSON.parse(list) as string[]))];
  }

  private async tell(leases: readonly Lease[]): Promise<void> {
    this.waiting = undefined;
    const { runner, manyRooms, time } = this.host;
    for (const ttlMs of new Set(leases.map((lease) => lease.ttlMs))) {
      const some = leases.filter((lease) => lease.ttlMs === ttlMs);
      await manyRooms.run(some, async (together) => {
        const keys = together.map(({ key }) => key);
        await runner.run(SET_VIEWERS, keys, [ttlMs, time(), ...together.flatMap(({ node, list }) => [node, list])]);
      });
    }
  }
}
