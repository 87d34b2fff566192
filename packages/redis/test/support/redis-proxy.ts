/** A way to a Redis that is slow, stops, breaks, or leads elsewhere: a relay between two socket files. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class RedisProxy {
  /** Where it listens. */
  readonly path: string;
  /** Each way, in ms. */
  latencyMs = 0;
  private target: string;
  private readonly folder: string;
  private readonly server: Server;
  private readonly pairs = new Set<readonly [client: Socket, redis: Socket]>();

  private constructor(folder: string, target: string) {
    this.folder = folder;
    this.path = join(folder, 'proxy.sock');
    this.target = target;
    this.server = createServer((client) => this.relay(client));
  }

  static async start(target: string): Promise<RedisProxy> {
    const proxy = new RedisProxy(await mkdtemp(join(tmpdir(), 'guildkit-proxy-')), target);
    proxy.server.listen(proxy.path);
    await once(proxy.server, 'listening');
    return proxy;
  }

  /** Reads no more of what Redis sends; what it cannot send it keeps. @param from Connections made before that one go on. */
  hold(from = 0): void {
    for (const [, redis] of [...this.pairs].slice(from)) redis.pause();
  }

  release(): void {
    for (const [, redis] of this.pairs) redis.resume();
  }

  /** Breaks every connection. What was sent may have been done. */
  cut(): void {
    for (const [client, redis] of this.pairs) {
      client.destroy();
      redis.destroy();
    }
  }

  /** Leads to another server from now on. */
  lead(target: string): void {
    this.target = target;
    this.cut();
  }

  async close(): Promise<void> {
    this.cut();
    this.server.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  private relay(client: Socket): void {
    const redis = connect(this.target);
    const pair = [client, redis] as const;
    this.pairs.add(pair);
    const end = () => {
      this.pairs.delete(pair);
      client.destroy();
      redis.destroy();
    };
    for (const [from, to] of [pair, [redis, client] as const]) {
      from.on('error', end);
      from.on('close', end);
      let dueAt = 0;
      from.on('data', (data) => {
        const now = performance.now();
        // Nothing overtakes what is under way.
        dueAt = Math.max(dueAt, now + this.latencyMs);
        if (dueAt <= now) to.write(data);
        else setTimeout(() => to.write(data), dueAt - now);
      });
    }
  }
}
