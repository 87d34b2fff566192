/** A RateLimitStore in one process that others use over Node's IPC: each call is a message with a number, and so is its answer. */
import type { ChildProcess } from 'node:child_process';
import type { RateLimitStore } from '@guildkit/rest';

type Method = keyof RateLimitStore;

interface Call {
  readonly call: number;
  readonly method: Method;
  readonly args: readonly unknown[];
}

interface Reply {
  readonly call: number;
  readonly result: unknown;
}

/** Answers what a child asks of the store. */
export function serveStore(store: RateLimitStore, child: ChildProcess): void {
  child.on('message', (message: Call) => {
    if (typeof message.call !== 'number') return;
    const { call, method, args } = message;
    const run = store[method] as (...args: readonly unknown[]) => Promise<unknown>;
    void run(...args).then((result) => child.connected && child.send({ call, result }));
  });
}

/** The store of the parent process. */
export function parentStore(): RateLimitStore {
  const waiting = new Map<number, (result: unknown) => void>();
  let calls = 0;
  process.on('message', ({ call, result }: Reply) => {
    waiting.get(call)?.(result);
    waiting.delete(call);
  });
  const ask =
    (method: Method) =>
    (...args: readonly unknown[]): Promise<never> =>
      new Promise((resolve) => {
        calls += 1;
        waiting.set(calls, resolve as (result: unknown) => void);
        process.send?.({ call: calls, method, args });
      });
  return {
    take: ask('take'),
    release: ask('release'),
    block: ask('block'),
    learn: ask('learn'),
    recall: ask('recall'),
  };
}
