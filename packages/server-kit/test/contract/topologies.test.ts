/**
 * Worker and app restart at random moments, by webhook (B) and by link (C): the app's hub lists who is in voice rightly
 * within two seconds of both being up, whatever was lost in between.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { DomainEvent } from '@guildkit/core';
import { createWebhookReceiver, WebhookForwarder } from '@guildkit/server-kit/hmac';
import { type HubEngine, memoryEngine, RealtimeHub } from '@guildkit/server-kit/hub';
import { LinkClient, LinkServer } from '@guildkit/server-kit/link';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, it, vi } from 'vitest';
import { joined, left, moved, snapshot } from '../support/discord-events.js';

const SECRET = 'a secret of both sides, or two';
const SECRETS = [SECRET];
const CHANNELS = ['10', '11'];

/** Random numbers by seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

/** Discord: who is where, and what it says of each change. */
class Discord {
  readonly where = new Map<string, string>();
  listener: ((event: DomainEvent) => void) | undefined;

  constructor(
    private readonly random: () => number,
    private readonly now: () => number,
  ) {}

  /** A gateway connects: the snapshot comes first. */
  connect(listener: (event: DomainEvent) => void): void {
    this.listener = listener;
    listener({ ...snapshot([...this.where], CHANNELS), ts: this.now() });
  }

  move(): void {
    const userId = String(7 + Math.floor(this.random() * 5));
    const to = [...CHANNELS, undefined][Math.floor(this.random() * 3)];
    const from = this.where.get(userId);
    if (from === to) return;
    if (to === undefined) this.where.delete(userId);
    else this.where.set(userId, to);
    const ts = this.now();
    if (to === undefined) this.listener?.({ ...left(userId, from as string), ts });
    else this.listener?.({ ...(from === undefined ? joined(userId, to) : moved(userId, from, to)), ts });
  }

  lists(): unknown {
    return CHANNELS.map((channel) =>
      [...this.where]
        .filter(([, at]) => at === channel)
        .map(([userId]) => userId)
        .sort(),
    );
  }
}

function newHub(): { hub: RealtimeHub; engine: HubEngine } {
  const engine = memoryEngine();
  return { engine, hub: new RealtimeHub({ origins: [], authenticate: () => null, authorize: () => false, engine }) };
}

async function listsOf(engine: HubEngine): Promise<unknown> {
  const rooms = await Promise.all(CHANNELS.map((channel) => engine.read(`channel:${channel}`)));
  return rooms.map(({ snapshot: room }) =>
    room.kind === 'voice' ? room.members.map(({ userId }) => userId).sort() : [],
  );
}

describe('by webhook', () => {
  it.each(Array.from({ length: 15 }, (_, n) => n + 1))('seed %i', async (seed) => {
    const random = randomOf(seed);
    const clock = createVirtualClock();
    const discord = new Discord(random, clock.wallTime);
    const pass = async (ms: number): Promise<void> => {
      for (let done = 0; done < ms; done += 10) {
        await clock.advance(10);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    let lossy = true;
    let app: { hub: RealtimeHub; engine: HubEngine; handler(request: Request): Promise<Response> } | undefined;
    const fetchImpl = (async (url: string, init: RequestInit): Promise<Response> => {
      const [lost, answerLost] = [lossy && random() < 0.1, lossy && random() < 0.1];
      // What is under way arrives, also when its sender has died meanwhile.
      const delayMs = lossy && random() < 0.2 ? 300 * random() : 5;
      await new Promise<void>((resolve) => clock.setTimer(resolve, delayMs));
      if (app === undefined || lost) throw new TypeError('fetch failed');
      const answer = await app.handler(
        new Request(url, {
          method: 'POST',
          body: init.body as string,
          headers: init.headers as Record<string, string>,
        }),
      );
      if (answerLost) throw new TypeError('fetch failed');
      return answer;
    }) as typeof fetch;
    const startApp = (): void => {
      const { hub, engine } = newHub();
      const { handler } = createWebhookReceiver({ secrets: SECRETS, clock, onEvent: hub.publishDiscordEvent });
      app = { hub, engine, handler };
    };
    let worker: WebhookForwarder | undefined;
    const startWorker = (): void => {
      worker = new WebhookForwarder({
        url: 'http://127.0.0.1:1/hub',
        secrets: SECRETS,
        clock,
        random,
        fetch: fetchImpl,
        maxQueue: 20,
      });
      discord.connect(worker.forward);
    };
    startApp();
    startWorker();
    for (let round = 0; round < 12; round += 1) {
      for (let n = 0; n < 20; n += 1) {
        discord.move();
        await pass(Math.floor(random() * 60));
        if (random() < 0.05) {
          void app?.hub.close();
          app = undefined;
        }
        if (random() < 0.05) {
          discord.listener = undefined;
          void worker?.close();
          worker = undefined;
        }
        if (app === undefined && random() < 0.3) startApp();
        if (worker === undefined && random() < 0.3) startWorker();
      }
      if (app === undefined) startApp();
      if (worker === undefined) startWorker();
      lossy = false;
      await pass(2_000);
      lossy = true;
      expect(await listsOf((app as NonNullable<typeof app>).engine)).toEqual(discord.lists());
    }
    await worker?.close();
    await app?.hub.close();
  });
});

describe('by link', () => {
  it.each([1, 2, 3])('seed %i', async (seed) => {
    const random = randomOf(seed);
    const discord = new Discord(random, Date.now);
    const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, random() * 8));
    let port = 0;
    let worker: { link: LinkServer; server: Server; sockets: Set<Socket> } | undefined;
    const startWorker = async (): Promise<void> => {
      const link = new LinkServer({ tokens: SECRETS, onCommand: () => undefined, maxEvents: 10 });
      const server = createServer();
      const sockets = new Set<Socket>();
      server.on('connection', (socket: Socket) => sockets.add(socket));
      link.attach(server, { path: '/link' });
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
      port = (server.address() as AddressInfo).port;
      worker = { link, server, sockets };
      discord.connect(link.publish);
    };
    const stopWorker = async (): Promise<void> => {
      if (worker === undefined) return;
      const { link, server, sockets } = worker;
      worker = undefined;
      discord.listener = undefined;
      for (const socket of sockets) socket.destroy();
      await link.close();
      await new Promise((resolve) => server.close(resolve));
    };
    let app: { hub: RealtimeHub; engine: HubEngine; link: LinkClient } | undefined;
    const startApp = (): void => {
      const { hub, engine } = newHub();
      const url = `ws://127.0.0.1:${port}/link`;
      const link = new LinkClient({
        url,
        token: SECRET,
        onEvent: hub.publishDiscordEvent,
        backoffBaseMs: 50,
        backoffCapMs: 400,
      });
      link.start();
      app = { hub, engine, link };
    };
    const stopApp = async (): Promise<void> => {
      await app?.link.close();
      await app?.hub.close();
      app = undefined;
    };
    await startWorker();
    startApp();
    try {
      for (let round = 0; round < 6; round += 1) {
        for (let n = 0; n < 25; n += 1) {
          discord.move();
          await pause();
          if (random() < 0.06) await stopApp();
          if (random() < 0.06) await stopWorker();
          // Cut, and nobody restarts.
          if (random() < 0.05) for (const socket of worker?.sockets ?? []) socket.destroy();
          if (app === undefined && random() < 0.3) startApp();
          if (worker === undefined && random() < 0.3) await startWorker();
        }
        if (worker === undefined) await startWorker();
        if (app === undefined) startApp();
        const { engine } = app as unknown as { engine: HubEngine };
        await vi.waitFor(async () => expect(await listsOf(engine)).toEqual(discord.lists()), {
          timeout: 2_000,
          interval: 10,
        });
      }
    } finally {
      await stopApp();
      await stopWorker();
    }
  });
});
