/** What the tests of the worker share: the built worker as a real process, and an app that takes its events. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { DomainEvent } from '@guildkit/core';
import type { Sandbox } from '@guildkit/sandbox';
import { createWebhookReceiver, type WebhookReceiver } from '@guildkit/server-kit/hmac';
import { memoryEngine, RealtimeHub } from '@guildkit/server-kit/hub';
import { build } from 'vite';
import { vi } from 'vitest';
import type { WorkerHealth } from '../../src/health-server.js';

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const SECRET = 'a-secret-of-32-characters-or-more-for-tests';

/** Builds the worker from the sources of the packages, as `vite build` does from their builds. @returns its file */
export async function buildWorker(outDir: string): Promise<string> {
  await build({
    configFile: fromHere('../../vite.config.ts'),
    root: fromHere('../..'),
    logLevel: 'silent',
    resolve: {
      alias: [
        { find: /^@guildkit\/([^/]+)\/(.+)$/, replacement: fromHere('../../../../packages/$1/src/$2/index.ts') },
        { find: /^@guildkit\/([^/]+)$/, replacement: fromHere('../../../../packages/$1/src/index.ts') },
      ],
    },
    build: { outDir, emptyOutDir: false, minify: false },
  });
  return join(outDir, 'main.mjs');
}

export interface WorkerProcess {
  readonly healthUrl: string;
  readonly linkUrl: string | undefined;
  /** Every line it has logged. */
  readonly lines: readonly Record<string, unknown>[];
  health(): Promise<{ readonly status: number; readonly body: WorkerHealth }>;
  /** Resolves when it has reached Discord. */
  connected(): Promise<void>;
  signal(name: NodeJS.Signals): Promise<number | null>;
  /** Its exit code. */
  readonly ended: Promise<number | null>;
}

/** Kill these at the end, whatever happened. */
export const children = new Set<ChildProcess>();

/** Starts the built worker. Rejects with what it said when it ends before it listens. */
export async function startProcess(
  program: string,
  sandbox: Sandbox,
  env: Readonly<Record<string, string>>,
): Promise<WorkerProcess> {
  const { token, apiBase, guildId } = sandbox.connection;
  const child = spawn(process.execPath, [program], {
    env: {
      PATH: process.env.PATH,
      DISCORD_BOT_TOKEN: token,
      DISCORD_API_BASE: apiBase,
      PRIMARY_GUILD_ID: guildId,
      HEALTH_CHECK_PORT: '0',
      PORT: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  const lines: Record<string, unknown>[] = [];
  let complaint = '';
  child.stderr.on('data', (chunk) => {
    complaint += String(chunk);
  });
  const gone = once(child, 'close').then(([code]) => {
    children.delete(child);
    return code as number | null;
  });
  const started = await new Promise<Record<string, unknown>>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const said = JSON.parse(line) as Record<string, unknown>;
      lines.push(said);
      if (said.msg === 'worker started') resolve(said);
    });
    void gone.then((code) => reject(new Error(`ended with ${code}: ${complaint}`)));
  });
  const healthUrl = String(started.healthUrl);
  const health = async () => {
    const answer = await fetch(healthUrl);
    return { status: answer.status, body: (await answer.json()) as WorkerHealth };
  };
  return {
    healthUrl,
    linkUrl: started.linkUrl === undefined ? undefined : String(started.linkUrl),
    lines,
    health,
    connected: () =>
      vi.waitFor(
        async () => {
          const { status, body } = await health();
          if (status !== 200) throw new Error(`not connected: ${JSON.stringify(body)}`);
        },
        { timeout: 20_000 },
      ),
    async signal(name) {
      child.kill(name);
      return gone;
    },
    ended: gone,
  };
}

export interface TestApp {
  readonly url: string;
  readonly receiver: WebhookReceiver;
  /** What it took, in order. */
  readonly heard: readonly DomainEvent[];
  /** Who its hub lists in a voice channel. */
  members(channelId: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** An app that takes webhooks into a hub. @param port That of an app before it, to take its place */
export async function startApp(port = 0): Promise<TestApp> {
  const { hub, heard, take, members } = newHub();
  const receiver = createWebhookReceiver({ secrets: SECRET, onEvent: take });
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)]);
    const answer = await receiver.handler(
      new Request('http://app/events', { method: 'POST', body: Buffer.concat(chunks), headers }),
    );
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
  });
  const url = `http://127.0.0.1:${await listen(server, port)}/events`;
  return {
    url,
    receiver,
    heard,
    members,
    async close() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      await hub.close();
    },
  };
}

/** A hub that remembers what it was given. */
export function newHub() {
  const engine = memoryEngine();
  const hub = new RealtimeHub({ origins: [], authenticate: () => null, authorize: () => false, engine });
  const heard: DomainEvent[] = [];
  return {
    hub,
    heard,
    take(event: DomainEvent) {
      heard.push(event);
      return hub.publishDiscordEvent(event);
    },
    async members(channelId: string): Promise<readonly string[]> {
      const { snapshot } = await engine.read(`channel:${channelId}`);
      return snapshot.kind === 'voice' ? snapshot.members.map(({ userId }) => userId).sort() : [];
    },
  };
}

/** A free port that stays free: below those that the system gives to outgoing connections (32768 and above on Linux). */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer();
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** What people wrote, in the order in which it was heard. */
export function written(events: readonly DomainEvent[]): readonly string[] {
  return events.flatMap((event) => (event.event === 'message.created' ? [event.payload.content] : []));
}

export const names = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `${prefix}${n}`);
