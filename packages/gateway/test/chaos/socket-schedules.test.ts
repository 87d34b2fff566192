/**
 * Schedules of faults by seed, over real sockets against the sandbox: after each fault the session goes on, and everything
 * was told once and in order. A hundred here; `npm run soak -- sockets` makes it a thousand. `schedules.test.ts` has a
 * thousand in virtual time, with faults that meet each other and processes that are killed.
 */
import { expect, test } from 'vitest';
import { type Arena, allTold, arena } from '../support/chaos.js';
import { seeded } from '../support/seeded.js';

const SCHEDULES = Number(process.env.GUILDKIT_SOCKET_SCHEDULES ?? 100);
const AT_ONCE = 20;
const FAULTS_EACH = 4;
const FAREWELLS = [4000, 4001, 4002, 4005, 4008];

/** Each leaves the session alive: every event has to come. */
const FAULTS: Readonly<Record<string, (arena: Arena, random: () => number) => void | Promise<void>>> = {
  cut: ({ sandbox }) => sandbox.faults.cut(),
  farewell: ({ sandbox }, random) => sandbox.faults.closeWith(FAREWELLS[Math.floor(random() * 5)] ?? 4000),
  reconnect: ({ sandbox }) => sandbox.faults.reconnect(),
  invalidSession: ({ sandbox }) => sandbox.faults.invalidateSession({ resumable: true }),
  async halfFrame({ sandbox, act }) {
    sandbox.faults.halfFrame();
    await act();
  },
  async lost({ sandbox, act }) {
    sandbox.faults.dropDispatches(1);
    for (let n = 0; n < 2; n += 1) await act();
  },
  async swapped({ sandbox, act }) {
    sandbox.faults.reorderDispatches(2);
    for (let n = 0; n < 2; n += 1) await act();
  },
  async doubled({ sandbox, act }, random) {
    const count = 1 + Math.floor(random() * 3);
    sandbox.faults.duplicateDispatches(count);
    for (let n = 0; n < count; n += 1) await act();
  },
  refused({ sandbox }, random) {
    const answers = [503, 500, 'reset'] as const;
    sandbox.faults.refuseUpgrades({ answer: answers[Math.floor(random() * 3)] ?? 503, count: 2 });
    sandbox.faults.cut();
  },
  down({ sandbox, clock }, random) {
    sandbox.faults.down(undefined, { cut: true });
    clock.setTimer(() => sandbox.faults.up(), 500 + random() * 4_000);
  },
  malformed: ({ sandbox }) => sandbox.faults.sendRaw('{"op":0,"t":"BROKEN","s":'),
  spoilt({ sandbox, client }) {
    // Of a connection without compression there is nothing to spoil.
    if (client.health().shards[0]?.phase === 'ready') sandbox.faults.corruptCompression();
  },
};

async function schedule(seed: number): Promise<string[]> {
  const random = seeded(seed * 104_729);
  const names = Object.keys(FAULTS);
  const chosen = Array.from({ length: FAULTS_EACH }, () => names[Math.floor(random() * names.length)] ?? 'cut');
  const compression = (['none', 'zlib-stream', 'zstd-stream'] as const)[Math.floor(random() * 3)] ?? 'none';
  await arena(
    async (stage) => {
      await stage.client.connect();
      await stage.act();
      for (const name of chosen) {
        await FAULTS[name]?.(stage, random);
        for (let n = Math.floor(random() * 3); n >= 0; n -= 1) await stage.act();
        await allTold(stage);
      }
      expect(stage.sandbox.traffic.counters).toMatchObject({ identifies: 1, resumesRefused: 0 });
    },
    { compression },
  ).catch((error: unknown) => {
    throw new Error(`seed ${seed}, ${compression}: ${chosen.join(', ')}`, { cause: error });
  });
  return chosen;
}

test(`${SCHEDULES} schedules over real sockets: every event once and in order, nothing left`, async () => {
  const seen = new Set<string>();
  const seeds = Array.from({ length: SCHEDULES }, (_, index) => index + 1);
  const worker = async (): Promise<void> => {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      for (const name of await schedule(seed)) seen.add(name);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  expect([...seen].sort()).toEqual(Object.keys(FAULTS).sort());
}, 600_000);
