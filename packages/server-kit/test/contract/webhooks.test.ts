/** Forwarder and receiver together, over a network that loses requests and answers and a receiver that restarts. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DomainEvent } from '@guildkit/core';
import { createWebhookReceiver, WebhookForwarder, type WebhookForwarderOptions } from '@guildkit/server-kit/hmac';
import { createVirtualClock, type VirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GuildState } from '../../src/shared/guild-state.js';
import { joined, left, message, moved, snapshot, typing, updated } from '../support/discord-events.js';
import { keepingLogger } from '../support/log-lines.js';

const SECRETS = 'a secret of sixteen letters or more';
const URL = 'http://127.0.0.1:1/api/hub';

/** A receiver behind a network that a script of faults spoils. */
function world(options: Partial<WebhookForwarderOptions> = {}) {
  const clock = createVirtualClock();
  const logger = keepingLogger();
  const taken: { boot: number; event: DomainEvent; seq: number; epoch: string }[] = [];
  let boot = 0;
  let lists = new GuildState();
  const start = () => {
    boot += 1;
    lists = new GuildState();
    const state = lists;
    const number = boot;
    return createWebhookReceiver({
      secrets: SECRETS,
      clock,
      onEvent: (event, { seq, epoch }) => {
        taken.push({ boot: number, event, seq, epoch });
        state.apply(event);
      },
    });
  };
  let receiver = start();
  const faults = { next: (): 'none' | 'lostRequest' | 'lostAnswer' | 'busy' | 'error' | 'late' => 'none' };
  const requests: { timestamp: number; id: string }[] = [];
  const fetchImpl = (async (_url: string, init: RequestInit): Promise<Response> => {
    const fault = faults.next();
    await wait(clock, 3, init.signal);
    const headers = init.headers as Record<string, string>;
    requests.push({ timestamp: Number(headers['x-hub-timestamp']), id: JSON.parse(init.body as string).id });
    if (fault === 'lostRequest') throw new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') });
    if (fault === 'busy') return new Response(null, { status: 429, headers: { 'retry-after': '2' } });
    if (fault === 'error') return new Response(null, { status: 503 });
    const answer = await receiver.handler(new Request(URL, { method: 'POST', body: init.body as string, headers }));
    if (fault === 'lostAnswer') throw new TypeError('fetch failed', { cause: new Error('ECONNRESET') });
    if (fault === 'late') await wait(clock, 60_000, init.signal);
    return answer;
  }) as typeof fetch;
  const forwarder = new WebhookForwarder({
    url: URL,
    secrets: SECRETS,
    clock,
    logger,
    fetch: fetchImpl,
    random: () => 0.5,
    ...options,
  });
  return {
    clock,
    logger,
    taken,
    requests,
    faults,
    forwarder,
    restart: () => {
      receiver = start();
    },
    /** The members that the receiver lists. */
    lists: () => lists.snapshots(0, () => '').map(({ payload }) => payload),
  };
}

function wait(clock: VirtualClock, ms: number, signal: AbortSignal | null | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(resolve, ms);
    signal?.addEventListener('abort', () => {
      clock.clearTimer(timer);
      reject(signal.reason);
    });
  });
}

/** HMAC of Node is synchronous, bodies of Web requests are not: they need turns of the event loop. */
async function pass(clock: VirtualClock, ms: number): Promise<void> {
  for (let done = 0; done < ms; done += 5) {
    await clock.advance(5);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const ids = (subject: ReturnType<typeof world>) => subject.taken.map(({ event }) => event.id);

describe('order and retries', () => {
  it('delivers in order for each room, each attempt signed anew and later', async () => {
    const subject = world();
    const outcomes = ['none', 'lostRequest', 'error', 'busy', 'lostAnswer'] as const;
    let n = 0;
    subject.faults.next = () => outcomes[n++ % outcomes.length] ?? 'none';
    const events = [joined('7', '10'), updated('7', '10'), joined('8', '11'), left('7', '10'), message('1', '10')];
    for (const event of events) subject.forwarder.forward(event);
    await pass(subject.clock, 30_000);
    expect([...ids(subject)].sort()).toEqual(events.map(({ id }) => id).sort());
    const room10 = events.filter((event) => event.payload.channelId === '10').map(({ id }) => id);
    expect(ids(subject).filter((id) => room10.includes(id))).toEqual(room10);
    for (const { id } of events) {
      const times = subject.requests.filter((request) => request.id === id).map(({ timestamp }) => timestamp);
      expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
    }
    expect(new Set(subject.taken.map(({ epoch }) => epoch)).size).toBe(1);
    expect(subject.forwarder.stats()).toMatchObject({ queued: 0, delivered: events.length });
    expect(subject.logger.of('warn').every(({ fields }) => typeof fields.delayMs === 'number')).toBe(true);
    await subject.forwarder.close();
    await pass(subject.clock, 10);
    expect(subject.clock.pending).toBe(0);
  });

  it('waits for as long as the receiver says', async () => {
    const subject = world();
    await pass(subject.clock, 10);
    let busy = true;
    subject.faults.next = () => (busy ? 'busy' : 'none');
    subject.forwarder.forward(joined('7', '10'));
    await pass(subject.clock, 20);
    busy = false;
    const before = subject.requests.length;
    await pass(subject.clock, 1_900);
    expect(subject.requests.length).toBe(before);
    await pass(subject.clock, 200);
    expect(subject.taken).toHaveLength(1);
    await subject.forwarder.close();
  });

  it('sets one refused event aside, tells, and heals the lists', async () => {
    const subject = world();
    const alerts: unknown[] = [];
    subject.forwarder.on('alert', ({ event, cause, status }) => alerts.push([event.id, cause, status]));
    subject.forwarder.forward(snapshot([]));
    // An id that the receiver does not read.
    const bad = { ...joined('7', '10'), id: 'x'.repeat(300) };
    subject.forwarder.forward(bad);
    subject.forwarder.forward(joined('8', '10'));
    await pass(subject.clock, 500);
    expect(alerts).toEqual([[bad.id, 'refused', 400]]);
    expect(
      subject
        .lists()[0]
        ?.members.map(({ userId }) => userId)
        .sort(),
    ).toEqual(['7', '8']);
    expect(subject.logger.of('error')).toHaveLength(1);
    await subject.forwarder.close();
  });

  it('gives up an attempt that is not answered', async () => {
    const subject = world({ requestTimeoutMs: 1_000 });
    let first = true;
    subject.faults.next = () => {
      const fault = first ? 'late' : 'none';
      first = false;
      return fault;
    };
    subject.forwarder.forward(joined('7', '10'));
    await pass(subject.clock, 3_000);
    // Taken at the first try, known at the second.
    expect(subject.taken).toHaveLength(1);
    expect(subject.forwarder.stats()).toMatchObject({ queued: 0, delivered: 1, retries: 1 });
    await subject.forwarder.close();
  });
});

describe('outages', () => {
  it('bounds the queue, drops what can be said again first, says so, and heals the lists', async () => {
    const subject = world({ maxQueue: 10 });
    subject.forwarder.forward(snapshot([]));
    await pass(subject.clock, 50);
    subject.faults.next = () => 'lostRequest';
    const dropped: string[] = [];
    subject.forwarder.on('dropped', ({ event, cause }) => dropped.push(`${event.event} ${cause}`));
    for (let n = 0; n < 5; n += 1) subject.forwarder.forward(typing(String(n), '10'));
    for (let n = 0; n < 12; n += 1) subject.forwarder.forward(joined(String(n), '10'));
    // One of the five is on its way.
    expect(dropped.slice(0, 4)).toEqual(Array(4).fill('typing.started queueFull'));
    expect(dropped.length).toBe(7);
    await pass(subject.clock, 3_000);
    subject.faults.next = () => 'none';
    await pass(subject.clock, 2_000);
    expect(subject.lists()[0]?.members).toHaveLength(12);
    expect(subject.forwarder.stats()).toMatchObject({ queued: 0, snapshots: 1, dropped: { queueFull: 7 } });
    await subject.forwarder.close();
  });

  it('a receiver that comes back as a new process has right lists within two seconds, even when nothing happens', async () => {
    const subject = world();
    subject.forwarder.forward(snapshot([['7', '10']]));
    subject.forwarder.forward(joined('8', '11'));
    await pass(subject.clock, 100);
    subject.faults.next = () => 'lostRequest';
    await pass(subject.clock, 20_000);
    subject.restart();
    subject.faults.next = () => 'none';
    await pass(subject.clock, 2_000);
    expect(subject.lists()[0]?.members.map(({ userId, channelId }) => [userId, channelId])).toEqual([
      ['7', '10'],
      ['8', '11'],
    ]);
    await subject.forwarder.close();
  });

  it('says one thing once: of updates that wait the last is sent', async () => {
    const subject = world();
    subject.faults.next = () => 'lostRequest';
    subject.forwarder.forward(joined('7', '10'));
    await pass(subject.clock, 10);
    for (let n = 0; n < 9; n += 1) subject.forwarder.forward(updated('7', '10', n % 2 === 0));
    subject.faults.next = () => 'none';
    await pass(subject.clock, 2_000);
    expect(subject.taken.map(({ event }) => event.event)).toEqual(['voice.joined', 'voice.updated']);
    expect(subject.forwarder.stats().dropped.coalesced).toBe(8);
    await subject.forwarder.close();
  });

  it('drops what it has tried for too long', async () => {
    const subject = world({ retryForMs: 5_000 });
    subject.faults.next = () => 'error';
    subject.forwarder.forward(message('1', '10'));
    await pass(subject.clock, 8_000);
    expect(subject.forwarder.stats()).toMatchObject({ queued: 0, dropped: { expired: 1 } });
    await subject.forwarder.close();
  });
});

describe('close', () => {
  it('sends what waits, takes no more, and ends once', async () => {
    const subject = world();
    for (let n = 0; n < 20; n += 1) subject.forwarder.forward(message(String(n), '10'));
    const closed = subject.forwarder.close({ drainMs: 5_000 });
    subject.forwarder.forward(message('late', '10'));
    await pass(subject.clock, 1_000);
    await closed;
    expect(subject.taken).toHaveLength(20);
    expect(subject.forwarder.stats().dropped.closed).toBe(1);
    await subject.forwarder.close();
    expect(subject.clock.pending).toBe(0);
  });

  it('gives up at the end of its time, and says what was left', async () => {
    const subject = world();
    subject.faults.next = () => 'late';
    subject.forwarder.forward(message('1', '10'));
    subject.forwarder.forward(message('2', '10'));
    const closed = subject.forwarder.close({ drainMs: 1_000 });
    await pass(subject.clock, 1_100);
    await closed;
    expect(subject.forwarder.stats()).toMatchObject({ queued: 0, dropped: { closed: 2 } });
    expect(subject.clock.pending).toBe(0);
  });
});

describe('random faults and restarts', () => {
  it('every event is taken exactly once and in order, or said to be lost; the lists end right', async () => {
    const fault = fc.constantFrom('none', 'none', 'lostRequest', 'lostAnswer', 'error', 'busy', 'late');
    const user = fc.constantFrom('7', '8', '9');
    const channel = fc.constantFrom('10', '11');
    const action = fc.oneof(
      { weight: 6, arbitrary: fc.record({ type: fc.constant('voice' as const), user, channel: fc.option(channel) }) },
      { weight: 2, arbitrary: fc.record({ type: fc.constant('message' as const), channel }) },
      { weight: 2, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 800 }) }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('restart' as const) }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { maxLength: 40 }),
        fc.array(fault, { minLength: 1, maxLength: 60 }),
        async (actions, faults) => {
          const subject = world({ maxQueue: 8, requestTimeoutMs: 500 });
          let n = 0;
          subject.faults.next = () => faults[n++] ?? 'none';
          const where = new Map<string, string>();
          const sent: DomainEvent[] = [];
          const lost = new Set<string>();
          const send = (event: DomainEvent): void => {
            sent.push(event);
            subject.forwarder.forward(event);
          };
          subject.forwarder.on('dropped', ({ event }) => lost.add(event.id));
          send(snapshot([]));
          for (const step of actions) {
            if (step.type === 'pass') await pass(subject.clock, step.ms);
            else if (step.type === 'restart') subject.restart();
            else if (step.type === 'message') send(message(String(sent.length), step.channel));
            else {
              const from = where.get(step.user);
              if (step.channel === null) {
                if (from !== undefined) send(left(step.user, from));
                where.delete(step.user);
              } else if (from === undefined) send(joined(step.user, step.channel));
              else if (from === step.channel) send(updated(step.user, from));
              else send(moved(step.user, from, step.channel));
              if (step.channel !== null) where.set(step.user, step.channel);
            }
          }
          // Each fault may cost the two seconds of a busy receiver.
          for (let waited = 0; n < faults.length + 2 && waited < 150; waited += 1) await pass(subject.clock, 1_000);
          await pass(subject.clock, 3_000);

          const taken = ids(subject).filter((id) => sent.some((event) => event.id === id));
          for (const { id } of sent) {
            // A restarted receiver does not know what the former one took: only then may one come again.
            const boots = subject.taken.filter(({ event }) => event.id === id).map(({ boot }) => boot);
            expect(new Set(boots).size).toBe(boots.length);
            expect(boots.length > 0 || lost.has(id)).toBe(true);
          }
          for (const room of ['10', '11']) {
            const inRoom = sent
              .filter(({ payload }) => JSON.stringify(payload).includes(`"${room}"`))
              .map(({ id }) => id);
            const order = [...new Set(taken)].filter((id) => inRoom.includes(id));
            expect(order).toEqual(inRoom.filter((id) => order.includes(id)));
          }
          const members = subject.lists()[0]?.members.map(({ userId, channelId }) => [userId, channelId]) ?? [];
          expect(members.sort()).toEqual([...where].sort());
          await subject.forwarder.close();
          // What was given up lets go of its timer a moment later.
          await pass(subject.clock, 5);
          expect(subject.clock.pending).toBe(0);
        },
      ),
      { numRuns: 60, endOnFailure: true },
    );
  }, 60_000);
});

it('works over real sockets', async () => {
  const taken: string[] = [];
  const receiver = createWebhookReceiver({ secrets: SECRETS, onEvent: (event) => taken.push(event.id) });
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const headers = Object.entries(request.headers).flatMap(([name, value]) =>
        typeof value === 'string' ? [[name, value] as [string, string]] : [],
      );
      const answer = await receiver.handler(new Request(URL, { method: 'POST', body: Buffer.concat(chunks), headers }));
      response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const forwarder = new WebhookForwarder({ url: `http://127.0.0.1:${port}/hub`, secrets: SECRETS });
  const events = Array.from({ length: 50 }, (_, n) => message(String(n), '10'));
  for (const event of events) forwarder.forward(event);
  await forwarder.close({ drainMs: 20_000 });
  expect(taken).toEqual(events.map(({ id }) => id));
  await new Promise((resolve) => server.close(resolve));
});
