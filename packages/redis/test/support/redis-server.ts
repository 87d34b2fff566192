/** A redis-server for tests: on a socket file of its own, keeping nothing unless it is told to, ended with the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createClient } from 'redis';
import { vi } from 'vitest';

function find(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const named = process.env.REDIS_SERVER_PATH;
  return [...(named ? [named] : []), ...folders.map((folder) => join(folder, 'redis-server'))].find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const executable = find();

/** Whether there is a redis-server; the reason is printed when there is none. */
export const hasRedis = executable !== undefined;
if (!hasRedis) {
  process.stderr.write(
    'No redis-server was found: the Redis tests are skipped. Install it, or set REDIS_SERVER_PATH.\n',
  );
}

/** A client of the server, connected; its errors are kept, not thrown. */
export async function connectTo(path: string) {
  const client = createClient({
    socket: { path, reconnectStrategy: 20, connectTimeout: 1_000 },
    disableOfflineQueue: true,
  });
  client.on('error', () => {});
  await client.connect();
  return client;
}

export class TestRedis {
  /** Where it listens. */
  readonly path: string;
  private readonly folder: string;
  private readonly args: readonly string[];
  private child: ChildProcess | undefined;

  private constructor(folder: string, args: readonly string[]) {
    this.folder = folder;
    this.args = args;
    this.path = join(folder, 'redis.sock');
  }

  static async start(...args: string[]): Promise<TestRedis> {
    const server = new TestRedis(await mkdtemp(join(tmpdir(), 'guildkit-redis-')), args);
    await server.up();
    return server;
  }

  /** A Sentinel with these lines of configuration: it keeps what it knows in a file of its own, and takes no other settings. */
  static async sentinel(port: number, lines: readonly string[]): Promise<TestRedis> {
    const folder = await mkdtemp(join(tmpdir(), 'guildkit-redis-'));
    const server = new TestRedis(folder, []);
    const file = join(folder, 'sentinel.conf');
    await writeFile(
      file,
      [`port ${port}`, 'bind 127.0.0.1', `unixsocket ${server.path}`, `dir ${folder}`, ...lines].join('\n'),
    );
    await server.spawn([file, '--sentinel']);
    return server;
  }

  /** Starts the server again after {@link down}. */
  async up(): Promise<void> {
    const own = [
      '--port',
      '0',
      '--bind',
      '127.0.0.1',
      '--unixsocket',
      this.path,
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      this.folder,
    ];
    await this.spawn([...own, ...this.args]);
  }

  private async spawn(args: readonly string[]): Promise<void> {
    this.child = spawn(executable as string, args, { stdio: 'ignore' });
    const probe = await vi.waitFor(() => connectTo(this.path), { timeout: 10_000, interval: 20 });
    await probe.close();
  }

  /** Ends it at once, as a crash would. */
  async down(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Stops it, connections open, until {@link resume}. */
  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  async close(): Promise<void> {
    await this.down();
    await rm(this.folder, { recursive: true, force: true });
  }
}
