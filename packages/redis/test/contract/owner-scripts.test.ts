/** The election's scripts against what the model says they do: the same questions at the same times, the same answers. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACQUIRE, RELEASE, RENEW } from '../../src/io/owner-scripts.js';
import type { Script } from '../../src/io/scripts.js';
import type { ElectionInput } from '../../src/protocol/election.js';
import { type Lease, type Question, RULES, server } from '../model/owner-model.js';
import { connectTo, hasRedis, TestRedis } from '../support/redis-server.js';

const FIRST: Lease = { term: 0, by: -1, ask: 0, until: 0 };

describe.skipIf(!hasRedis)('the scripts of the election', () => {
  let redis: TestRedis;
  let client: Awaited<ReturnType<typeof connectTo>>;
  beforeAll(async () => {
    redis = await TestRedis.start();
    client = await connectTo(redis.path);
  });
  afterAll(async () => {
    client.destroy();
    await redis.close();
  });

  const keys = ['{owner}:fence', '{owner}:lease'];
  const run = (script: Script, args: readonly (string | number)[]) =>
    client.eval(script.text, { keys, arguments: args.map(String) });
  const tokenOf = ({ term, by, ask }: Lease): string => (by < 0 ? `${term} ` : `${term} p${by} ${ask}`);

  async function answerOf(question: Question, now: number): Promise<ElectionInput> {
    const { type, by, id } = question;
    if (type === 'ask') {
      const reply = await run(ACQUIRE, [`p${by}`, id, RULES.leaseMs, question.floor, now]);
      const [granted, term, left] = reply as [number, string, string];
      if (granted === 1) return { type: 'granted', id, term: Number(term) };
      return { type: 'held', id, term: Number(term), remainingMs: Number(left) };
    }
    if (type === 'renew') {
      const token = `${question.term} p${by} ${question.lease}`;
      const [renewed, standing] = (await run(RENEW, [token, RULES.leaseMs, now])) as [number, string];
      return renewed === 1 ? { type: 'renewed', id } : { type: 'lost', id, term: Number.parseInt(standing || '0', 10) };
    }
    await run(RELEASE, [`p${by}`, id]);
    return { type: 'released', id };
  }

  const step = fc.record({
    type: fc.constantFrom('ask', 'ask', 'renew', 'renew', 'release'),
    by: fc.nat(1),
    /** How old the question is: 0 is the next number, others were sent before. */
    age: fc.constantFrom(0, 0, 0, 1, 2),
    /** Of whose lease: the one that stands, or the one before. */
    stale: fc.boolean(),
    floor: fc.nat(3),
    /** Time goes on, or the server's clock goes back. */
    ticks: fc.constantFrom(0, 0, 1, 1, 2, 5, -20),
  });

  it('do what the model says', async () => {
    let granted = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        await client.flushAll();
        let standing = FIRST;
        let before = FIRST;
        let now = 1_000;
        const ids = [0, 0];
        for (const { type, by, age, stale, floor, ticks } of steps) {
          now += ticks;
          const next = (ids[by] ?? 0) + 1;
          const id = Math.max(1, next - age);
          ids[by] = Math.max(next, id);
          const { term, ask: lease } = stale ? before : standing;
          const question: Question =
            type === 'ask'
              ? { type, by, id, floor: standing.term + floor - 1 }
              : type === 'renew'
                ? { type, by, id, term, lease }
                : { type: 'release', by, id };
          // A term is at least the time, too.
          const timed = question.type === 'ask' ? { ...question, floor: Math.max(question.floor, now - 1) } : question;
          const expected = server.execute(standing, timed, now);
          expect(await answerOf(question, now)).toEqual(expected.answer);
          if (expected.answer.type === 'granted') granted += 1;
          if (expected.standing.term !== standing.term) before = standing;
          ({ standing } = expected);
          // Behind it stands the server's history.
          const fence = (await client.get('{owner}:fence'))?.replace(/ [0-9a-f]{40}$/, '');
          expect(fence).toBe(standing.term === 0 ? undefined : tokenOf(standing));
          const until = Number((await client.hGet('{owner}:lease', 'until')) ?? 0);
          expect(until).toBe(standing.by < 0 ? 0 : standing.until);
        }
      }),
      { numRuns: 60, seed: 5 },
    );
    expect(granted).toBeGreaterThan(50);
  });
});
