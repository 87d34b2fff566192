/** What every {@link AnswerStore} must do. Another store passes it by calling {@link answerStoreSuite} with its factory. */
import type { AnswerStore, CommandAnswer } from '@guildkit/server-kit/commands';
import { describe, expect, it } from 'vitest';

export interface AnswerStoreUnderTest {
  readonly store: AnswerStore;
  advance(ms: number): Promise<void>;
  close?(): Promise<void>;
}

const ANSWER: CommandAnswer = {
  ok: true,
  result: { text: 'line 1\nline 2 "ü" \u2028', list: [1, null] },
  latencyMs: 1.5,
};
const REFUSAL: CommandAnswer = { ok: false, error: { status: 502, code: 'ERR_COMMAND_TIMEOUT', message: 'no' } };

export function answerStoreSuite(name: string, create: () => Promise<AnswerStoreUnderTest>): void {
  const run = (title: string, body: (subject: AnswerStoreUnderTest) => Promise<void>) =>
    it(title, async () => {
      const subject = await create();
      try {
        await body(subject);
      } finally {
        await subject.close?.();
      }
    });
  const request = (key: string, fingerprint = 'f') => ({ key, fingerprint, leaseMs: 1_000, keepMs: 5_000 });
  const ticketOf = async (store: AnswerStore, key: string, fingerprint = 'f'): Promise<string> => {
    const claim = await store.claim(request(key, fingerprint));
    if (claim.kind !== 'claimed') throw new Error(`claim is ${claim.kind}`);
    return claim.ticket;
  };

  describe(`answer store: ${name}`, () => {
    run(
      'gives an id to exactly one of all who ask at once; the others are told that it is taken',
      async ({ store }) => {
        const claims = await Promise.all(Array.from({ length: 20 }, () => store.claim(request('a'))));
        expect(claims.map(({ kind }) => kind).sort()).toEqual([
          'claimed',
          ...Array.from({ length: 19 }, () => 'pending'),
        ]);
        expect(await store.claim(request('a', 'other'))).toEqual({ kind: 'reused' });
        expect((await store.claim(request('b'))).kind).toBe('claimed');
      },
    );

    run('gives the answer to all who ask later, as it was, and to no other command', async ({ store }) => {
      const ticket = await ticketOf(store, 'a');
      await store.settle('a', ticket, ANSWER, 5_000);
      expect(await store.claim(request('a'))).toEqual({ kind: 'answered', answer: ANSWER });
      expect(await store.claim(request('a', 'other'))).toEqual({ kind: 'reused' });
      await store.settle('b', await ticketOf(store, 'b'), REFUSAL, 5_000);
      expect(await store.claim(request('b'))).toEqual({ kind: 'answered', answer: REFUSAL });
    });

    run('forgets an answer when its time is over, and keeps none for no time', async ({ store, advance }) => {
      await store.settle('a', await ticketOf(store, 'a'), ANSWER, 2_000);
      await store.settle('b', await ticketOf(store, 'b'), ANSWER, 0);
      expect((await store.claim(request('b'))).kind).toBe('claimed');
      await advance(1_900);
      expect((await store.claim(request('a'))).kind).toBe('answered');
      await advance(200);
      expect((await store.claim(request('a', 'other'))).kind).toBe('claimed');
    });

    run('forgets at once what was released', async ({ store }) => {
      await store.release('a', await ticketOf(store, 'a'));
      expect((await store.claim(request('a', 'other'))).kind).toBe('claimed');
      await store.release('never claimed', '1');
    });

    run(
      'does not give an id anew whose holder fell silent, until that is forgotten too',
      async ({ store, advance }) => {
        await ticketOf(store, 'a');
        await advance(900);
        expect((await store.claim(request('a'))).kind).toBe('pending');
        await advance(200);
        expect((await store.claim(request('a'))).kind).toBe('lost');
        expect((await store.claim(request('a', 'other'))).kind).toBe('reused');
        await advance(4_800);
        expect((await store.claim(request('a'))).kind).toBe('lost');
        await advance(200);
        expect((await store.claim(request('a'))).kind).toBe('claimed');
      },
    );

    run('takes a late answer of the holder', async ({ store, advance }) => {
      const ticket = await ticketOf(store, 'a');
      await advance(1_100);
      expect((await store.claim(request('a'))).kind).toBe('lost');
      await store.settle('a', ticket, ANSWER, 5_000);
      expect((await store.claim(request('a'))).kind).toBe('answered');
    });

    run('takes nothing from who does not hold the id', async ({ store, advance }) => {
      const former = await ticketOf(store, 'a');
      await advance(6_100);
      const ticket = await ticketOf(store, 'a');
      expect(ticket).not.toBe(former);
      await store.settle('a', former, REFUSAL, 5_000);
      await store.release('a', former);
      expect((await store.claim(request('a'))).kind).toBe('pending');
      await store.settle('a', ticket, ANSWER, 5_000);
      await store.settle('a', ticket, REFUSAL, 5_000);
      await store.release('a', ticket);
      expect(await store.claim(request('a'))).toEqual({ kind: 'answered', answer: ANSWER });
    });

    run('keeps ids of any letters apart', async ({ store }) => {
      const keys = ['a', 'a:', ':a', '["7","a"]', 'ä', '__proto__', '', 'x'.repeat(300)];
      for (const key of keys) expect((await store.claim(request(key))).kind).toBe('claimed');
      for (const key of keys) expect((await store.claim(request(key))).kind).toBe('pending');
    });
  });
}
