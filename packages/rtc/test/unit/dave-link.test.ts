/** What the end-to-end side says to the voice gateway, until it has arrived. */
import { createVirtualClock } from '@guildkit/testkit';
import { expect, test } from 'vitest';
import type { DaveClient, DaveEffect, DaveInput } from '../../src/dave/dave.js';
import { DaveLink } from '../../src/io/dave-link.js';

/** A client that answers what a test tells it to. */
function createLink() {
  const clock = createVirtualClock();
  const sent: string[] = [];
  const inputs: DaveInput[] = [];
  let answers: DaveEffect[] = [];
  let deadline: number | undefined;
  let open = true;
  const client = {
    handle(input: DaveInput) {
      inputs.push(input);
      return answers.splice(0);
    },
    get deadline() {
      return deadline;
    },
    close() {},
  } as unknown as DaveClient;
  const link = new DaveLink({
    clock,
    send(data) {
      if (open) sent.push(typeof data === 'string' ? data : Buffer.from(data).toString('hex'));
      return open;
    },
    onEvent() {},
  });
  link.begin(client);
  return {
    clock,
    link,
    inputs,
    say(...effects: DaveEffect[]) {
      answers = effects;
      link.start(1);
    },
    /** What was sent since the last call. */
    taken: () => sent.splice(0),
    setOpen: (value: boolean) => {
      open = value;
    },
    setDeadline: (value: number | undefined) => {
      deadline = value;
    },
  };
}

const keyPackage = (byte: number): DaveEffect => ({ type: 'sendBinary', op: 26, payload: Uint8Array.from([byte]) });
const commit: DaveEffect = { type: 'sendBinary', op: 28, payload: Uint8Array.from([9]) };
const ready: DaveEffect = { type: 'sendJson', op: 23, d: { transition_id: 5 } };
const READY = '{"op":23,"d":{"transition_id":5}}';

test('what may not have arrived is said again after a resume', () => {
  const { link, say, taken, setOpen } = createLink();
  say(keyPackage(1), ready);
  expect(taken()).toEqual(['1a01', READY]);
  setOpen(false);
  say(commit);
  setOpen(true);
  link.resumed();
  expect(taken()).toEqual(['1a01', READY, '1c09']);
});

test('what was answered is not said again', () => {
  const { link, say, taken } = createLink();
  say(keyPackage(1), commit, ready);
  link.hear({ type: 'daveBinary', op: 30, payload: new Uint8Array(1) });
  taken();
  link.resumed();
  expect(taken()).toEqual([READY]);
  link.hear({ type: 'daveJson', op: 22, data: { transition_id: 5 } });
  link.resumed();
  expect(taken()).toEqual([]);
});

test('a heartbeat that is answered confirms what was said before it', () => {
  const { clock, link, say, taken } = createLink();
  say(commit);
  clock.advanceSync(10);
  const sentAt = clock.now();
  clock.advanceSync(10);
  say(ready);
  link.heartbeatAnswered(sentAt);
  taken();
  link.resumed();
  expect(taken()).toEqual([READY]);
});

test('the last key package counts; a new session begins with nothing', () => {
  const { link, say, taken } = createLink();
  say(keyPackage(1));
  say(keyPackage(2));
  taken();
  link.resumed();
  expect(taken()).toEqual(['1a02']);
  link.begin(undefined);
  link.resumed();
  expect(taken()).toEqual([]);
});

test('one timer, and none when it has ended', () => {
  const { clock, link, say, inputs, setDeadline } = createLink();
  setDeadline(50);
  say();
  say();
  expect(clock.pending).toBe(1);
  setDeadline(undefined);
  clock.advanceSync(50);
  expect(inputs.at(-1)).toEqual({ type: 'timer' });
  expect(clock.pending).toBe(0);
  setDeadline(500);
  say();
  link.end();
  expect(clock.pending).toBe(0);
});
