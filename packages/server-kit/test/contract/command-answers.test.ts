/** Commands that are sent again: to this process and to others, whatever becomes of them. Each is done at most once. */
import {
  type AnswerStore,
  CommandBus,
  defineCommand,
  type IncomingCommand,
  memoryAnswerStore,
} from '@guildkit/server-kit/commands';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { keepingLogger } from '../support/log-lines.js';
import { answerStoreSuite } from './answer-store-suite.js';

answerStoreSuite('memory', async () => {
  const clock = createVirtualClock();
  return { store: memoryAnswerStore({ clock }), advance: (ms) => clock.advance(ms) };
});

it('the store in memory forgets the oldest answers, and nothing that is being carried out', async () => {
  const store = memoryAnswerStore({ maxEntries: 2, clock: createVirtualClock() });
  const claim = async (key: string) => store.claim({ key, fingerprint: 'f', leaseMs: 1_000, keepMs: 1_000 });
  await claim('running');
  for (const key of ['a', 'b', 'c']) {
    const { ticket } = (await claim(key)) as { ticket: string };
    await store.settle(key, ticket, { ok: true, latencyMs: 0 }, 1_000);
  }
  const kinds = [];
  for (const key of ['running', 'b', 'c', 'a']) kinds.push((await claim(key)).kind);
  expect(kinds).toEqual(['pending', 'answered', 'answered', 'claimed']);
  expect(() => memoryAnswerStore({ maxEntries: -1 })).toThrow(TypeError);
});

const command = (input: unknown, requestId = 'r'): IncomingCommand => ({
  principal: { userId: 'u', roles: [], expiresAt: Number.POSITIVE_INFINITY },
  name: 'once',
  input,
  requestId,
  sentAt: 1,
  traceId: 't',
});
const outcome = (answer: { ok: boolean; error?: { code: string } }) => (answer.ok ? 'ok' : answer.error?.code);
const turns = async () => {
  for (let n = 0; n < 20; n += 1) await Promise.resolve();
};

/** Two processes with one store, and a command that both could carry out. */
function twoProcesses(store?: AnswerStore) {
  const clock = createVirtualClock();
  const answers = store ?? memoryAnswerStore({ clock });
  const logger = keepingLogger();
  const ran: string[] = [];
  const finish: ((value: unknown) => void)[] = [];
  let allowed = true;
  const bus = (name: string) =>
    new CommandBus({
      clock,
      answers,
      logger,
      userBucket: false,
      channelBucket: false,
      commands: {
        once: defineCommand({
          input: z.unknown(),
          allow: () => allowed,
          run: () => {
            ran.push(name);
            return new Promise((resolve) => finish.push(resolve));
          },
        }),
      },
    });
  return {
    clock,
    logger,
    ran,
    finish,
    here: bus('here'),
    there: bus('there'),
    allow(value: boolean) {
      allowed = value;
    },
  };
}

describe('a command that is sent again to another process', () => {
  it('gets the answer of the first', async () => {
    const { here, there, ran, finish } = twoProcesses();
    const first = here.handle(command({ n: 1 }));
    await vi.waitFor(() => expect(ran).toEqual(['here']));
    finish[0]?.('done');
    expect(await first).toMatchObject({ ok: true, result: 'done' });
    expect(await there.handle(command({ n: 1 }))).toEqual(await first);
    expect(outcome(await there.handle(command({ n: 2 })))).toBe('ERR_COMMAND_ID_REUSED');
    expect(ran).toEqual(['here']);
    expect(there.stats()).toMatchObject({ repeated: 1, outcomes: { ERR_COMMAND_ID_REUSED: 1 } });
  });

  it('while the first is being carried out waits for it', async () => {
    const { here, there, ran, finish, clock } = twoProcesses();
    const first = here.handle(command(1));
    await vi.waitFor(() => expect(ran).toEqual(['here']));
    let second: unknown;
    void there.handle(command(1)).then((answer) => {
      second = answer;
    });
    await clock.advance(2_000);
    expect(second).toBeUndefined();
    finish[0]?.('done');
    await first;
    await clock.advance(800);
    expect(second).toEqual(await first);
    expect(ran).toEqual(['here']);
    expect(clock.pending).toBe(0);
  });

  it('is told 409 with a time when that takes long, and the end of the process ends the wait', async () => {
    const { here, there, ran, clock } = twoProcesses();
    const first = here.handle(command(1));
    await vi.waitFor(() => expect(ran).toEqual(['here']));
    await clock.advance(5_000);
    const late = here.handle(command(1, 'other'));
    await vi.waitFor(() => expect(ran).toHaveLength(2));
    const waits = there.handle(command(1, 'other'));
    await clock.advance(9_999);
    expect(outcome(await first)).toBe('ERR_COMMAND_TIMEOUT');
    const cut = there.handle(command(1, 'other'));
    void late;
    await clock.advance(1);
    // Its run ended in the same moment: whichever was seen, it was not done again.
    expect(['ERR_COMMAND_ANSWER_PENDING', 'ERR_COMMAND_TIMEOUT']).toContain(outcome(await waits));
    await cut;
    expect(ran).toEqual(['here', 'here']);
  });

  it('is told 409 when the other one has a longer time', async () => {
    const clock = createVirtualClock();
    const answers = memoryAnswerStore({ clock });
    const hang = defineCommand({ input: z.unknown(), run: () => new Promise(() => {}) });
    const [here, there, gone] = [60_000, 5_000, 5_000].map(
      (runTimeoutMs) => new CommandBus({ clock, answers, runTimeoutMs, commands: { once: hang } }),
    ) as [CommandBus, CommandBus, CommandBus];
    void here.handle(command(1));
    await vi.waitFor(() => expect(here.stats().running).toBe(1));
    const second = there.handle(command(1));
    const third = gone.handle(command(1));
    await turns();
    gone.close();
    expect(outcome(await third)).toBe('ERR_COMMAND_CLOSED');
    await clock.advance(5_000);
    expect(await second).toMatchObject({
      ok: false,
      error: { status: 409, code: 'ERR_COMMAND_ANSWER_PENDING', retryAfterMs: 1_000 },
    });
    here.close();
    await turns();
    expect(clock.pending).toBe(0);
  });

  it('is carried out there when the first refused it before anything was done', async () => {
    const { here, there, ran, finish, allow } = twoProcesses();
    allow(false);
    expect(outcome(await here.handle(command(1)))).toBe('ERR_COMMAND_FORBIDDEN');
    allow(true);
    const second = there.handle(command(1));
    await vi.waitFor(() => expect(ran).toEqual(['there']));
    finish[0]?.('done');
    expect(outcome(await second)).toBe('ok');
  });

  it('after the first has died in the middle is not done again: nobody knows', async () => {
    const { here, there, ran, clock } = twoProcesses();
    // A process that dies says nothing more: its clock stands still.
    const dead = createVirtualClock();
    const store = memoryAnswerStore({ clock });
    const run = vi.fn(() => new Promise(() => {}));
    const commands = { once: defineCommand({ input: z.unknown(), run }) };
    const first = new CommandBus({ clock: dead, answers: store, commands });
    const second = new CommandBus({ clock, answers: store, commands });
    void first.handle(command(1));
    await vi.waitFor(() => expect(run).toHaveBeenCalledTimes(1));
    await clock.advance(25_000);
    expect(await second.handle(command(1))).toMatchObject({
      ok: false,
      error: { status: 502, code: 'ERR_COMMAND_ANSWER_LOST' },
    });
    expect(run).toHaveBeenCalledTimes(1);
    here.close();
    there.close();
    expect(ran).toEqual([]);
  });
});

it('a bus that is closed has answered everything, and kept the answers, or says so after a while', async () => {
  const clock = createVirtualClock();
  const store = memoryAnswerStore({ clock });
  const steps: string[] = [];
  let keep = (): void => {};
  const slow: AnswerStore = {
    ...store,
    settle: async (...args) => {
      steps.push('settle');
      await new Promise<void>((resolve) => {
        keep = resolve;
      });
      await store.settle(...args);
      steps.push('kept');
    },
  };
  const hang = defineCommand({ input: z.unknown(), run: () => new Promise(() => {}) });
  const stuck = defineCommand({ input: z.unknown(), allow: () => new Promise(() => {}), run: () => 1 });
  const first = new CommandBus({ clock, answers: slow, commands: { once: hang } });
  const answer = first.handle(command(1));
  await vi.waitFor(() => expect(first.stats().running).toBe(1));
  const closed = first.close().then(() => steps.push('closed'));
  expect(outcome(await answer)).toBe('ERR_COMMAND_CLOSED');
  await turns();
  expect(steps).toEqual(['settle']);
  keep();
  await closed;
  expect(steps).toEqual(['settle', 'kept', 'closed']);
  expect(outcome(await new CommandBus({ clock, answers: store, commands: { once: hang } }).handle(command(1)))).toBe(
    'ERR_COMMAND_CLOSED',
  );
  const second = new CommandBus({ clock, commands: { once: stuck } });
  void second.handle(command(1));
  await turns();
  const late = second.close();
  await clock.advance(10_000);
  await late;
  expect(clock.pending).toBe(0);
});

describe('a store that fails', () => {
  const failing = (methods: Partial<AnswerStore>): AnswerStore => ({ ...memoryAnswerStore(), ...methods });
  const down = () => Promise.reject(new Error('redis://secret is down'));

  it('lets nothing be carried out, and says when to come back', async () => {
    const { here, ran, logger } = twoProcesses(failing({ claim: down }));
    expect(await here.handle(command(1))).toMatchObject({
      ok: false,
      error: { status: 503, code: 'ERR_COMMAND_STORE_UNAVAILABLE', retryAfterMs: 1_000 },
    });
    expect(ran).toEqual([]);
    expect(logger.of('warn')).toHaveLength(1);
    expect(here.stats().outcomes).toEqual({ ERR_COMMAND_STORE_UNAVAILABLE: 1 });
  });

  it('after the run takes nothing from the answer', async () => {
    const { here, ran, finish, logger, allow } = twoProcesses(failing({ settle: down, release: down }));
    const first = here.handle(command(1));
    await vi.waitFor(() => expect(ran).toHaveLength(1));
    finish[0]?.('done');
    expect(await first).toMatchObject({ ok: true, result: 'done' });
    allow(false);
    expect(outcome(await here.handle(command(1, 'other')))).toBe('ERR_COMMAND_FORBIDDEN');
    await vi.waitFor(() => expect(logger.of('warn')).toHaveLength(2));
  });
});

describe('processes that come, die and send again at random', () => {
  /** Each command is done at most once, and all answers that were given to it agree. */
  async function play(seed: number, wrap: (store: AnswerStore) => AnswerStore): Promise<string | undefined> {
    let state = seed;
    const random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
    const clock = createVirtualClock();
    const answers = wrap(memoryAnswerStore({ clock }));
    const runs = new Map<string, number>();
    const told = new Map<string, Set<unknown>>();
    const once = defineCommand({
      input: z.string(),
      run: async (id) => {
        runs.set(id, (runs.get(id) ?? 0) + 1);
        await new Promise<void>((resolve) => clock.setTimer(resolve, random() * 300));
        return `${id} ${runs.get(id)}`;
      },
    });
    const start = () => {
      const gate = { isAlive: true };
      // What a dead process says reaches nobody.
      const silent = <T>(call: () => Promise<T>): Promise<T> => (gate.isAlive ? call() : new Promise<T>(() => {}));
      const store: AnswerStore = {
        claim: (request) => silent(() => answers.claim(request)),
        settle: (...args) => silent(() => answers.settle(...args)),
        release: (...args) => silent(() => answers.release(...args)),
      };
      const bus = new CommandBus({
        clock,
        answers: store,
        userBucket: false,
        runTimeoutMs: 1_000,
        queueTimeoutMs: 1,
        commands: { once },
      });
      return { bus, gate };
    };
    const processes = [start(), start(), start()];
    for (let step = 0; step < 150; step += 1) {
      const at = Math.floor(random() * processes.length);
      const process = processes[at] as ReturnType<typeof start>;
      if (random() < 0.05) {
        process.gate.isAlive = false;
        processes[at] = start();
      } else {
        const id = `id ${Math.floor(random() * 12)}`;
        void process.bus.handle(command(id, id)).then((answer) => {
          if (process.gate.isAlive && answer.ok) told.set(id, (told.get(id) ?? new Set()).add(answer.result));
        });
      }
      await clock.advance(random() * 120);
    }
    await clock.advance(20_000);
    for (const { bus } of processes) bus.close();
    for (const [id, count] of runs) if (count > 1) return `${id} was done ${count} times`;
    for (const [id, results] of told) if (results.size > 1) return `${id} was answered in ${results.size} ways`;
    return runs.size === 12 && told.size > 6 ? undefined : 'nothing happened';
  }

  it('do each command at most once, and agree on its answer', async () => {
    for (let seed = 1; seed <= 20; seed += 1) expect(await play(seed, (store) => store)).toBeUndefined();
  });

  it.each<[string, (store: AnswerStore) => AnswerStore]>([
    [
      'an id is given to two',
      (store) => ({
        ...store,
        claim: async (request) => {
          const claim = await store.claim(request);
          return claim.kind === 'pending' ? { kind: 'claimed', ticket: 'x' } : claim;
        },
      }),
    ],
    [
      'an answer is forgotten',
      (store) => ({ ...store, settle: (key, ticket, answer) => store.settle(key, ticket, answer, 0) }),
    ],
    [
      'a lost one is given anew',
      (store) => ({
        ...store,
        claim: (request) => store.claim({ ...request, keepMs: 0 }),
      }),
    ],
  ])('are watched well enough to notice that %s', async (_, wrap) => {
    const found: (string | undefined)[] = [];
    for (let seed = 1; seed <= 10; seed += 1) found.push(await play(seed, wrap));
    expect(found.some((problem) => problem?.includes('times') || problem?.includes('ways'))).toBe(true);
  });
});
