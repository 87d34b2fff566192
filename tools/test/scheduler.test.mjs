import { describe, expect, it } from 'vitest';
import { runSteps } from '../lib/scheduler.mjs';

/** Steps whose ends the test decides. */
function board(specs) {
  const log = [];
  const ends = new Map();
  const steps = specs.map(([name, { needs, slots } = {}]) => ({
    name,
    needs,
    slots,
    run: () =>
      new Promise((resolve) => {
        log.push(name);
        ends.set(name, resolve);
      }),
  }));
  const end = async (name, result = { ok: true }) => {
    ends.get(name)(result);
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  };
  return { steps, log, end, started: () => log.splice(0) };
}

const settle = async () => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};
const statuses = (results) => results.map(({ name, status }) => `${name} ${status}`);

describe('runSteps', () => {
  it('fills its slots, in order', async () => {
    const { steps, started, end } = board([['a'], ['b'], ['c']]);
    const done = runSteps(steps, { slots: 2 });
    await settle();
    expect(started()).toEqual(['a', 'b']);
    await end('b');
    expect(started()).toEqual(['c']);
    await end('c');
    await end('a');
    expect(statuses(await done)).toEqual(['a ok', 'b ok', 'c ok']);
  });

  it('waits for what a step needs', async () => {
    const { steps, started, end } = board([['late', { needs: ['early'] }], ['early']]);
    const done = runSteps(steps, { slots: 2 });
    await settle();
    expect(started()).toEqual(['early']);
    await end('early');
    expect(started()).toEqual(['late']);
    await end('late');
    expect(statuses(await done)).toEqual(['late ok', 'early ok']);
  });

  it('does not run what needs a failed step, however far', async () => {
    const { steps, started, end } = board([['a'], ['b', { needs: ['a'] }], ['c', { needs: ['b'] }], ['d']]);
    const done = runSteps(steps, { slots: 2 });
    await settle();
    expect(started()).toEqual(['a', 'd']);
    await end('a', { ok: false, output: 'broken' });
    await end('d');
    const results = await done;
    expect(statuses(results)).toEqual(['a failed', 'b not run', 'c not run', 'd ok']);
    expect(results[0].output).toBe('broken');
    expect(results[1].summary).toBe('needs a');
  });

  it('gives a big step the machine for itself, and does not let small ones starve it', async () => {
    const { steps, started, end } = board([['a'], ['big', { slots: 2 }], ['b']]);
    const done = runSteps(steps, { slots: 2 });
    await settle();
    expect(started()).toEqual(['a']);
    await end('a');
    expect(started()).toEqual(['big']);
    await end('big');
    expect(started()).toEqual(['b']);
    await end('b');
    await done;
  });

  it('takes an exception for a failure', async () => {
    const results = await runSteps([{ name: 'a', run: () => Promise.reject(new Error('thrown')) }], { slots: 1 });
    expect(results[0]).toMatchObject({ status: 'failed' });
    expect(results[0].output).toContain('thrown');
  });

  it('ignores a need that is not among the steps', async () => {
    const results = await runSteps([{ name: 'a', needs: ['gone'], run: async () => ({ ok: true }) }], { slots: 1 });
    expect(statuses(results)).toEqual(['a ok']);
  });
});
