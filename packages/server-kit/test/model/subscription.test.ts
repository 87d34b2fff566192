/** One subscription between history and live events: whatever the order, what is sent is the log without hole or double. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Subscription, type Verdict } from '../../src/hub/protocol/subscription.js';

interface Item {
  readonly epoch: string;
  readonly seq: number;
}

type Make = (maxWaiting: number) => Subscription<Item>;

/** What may happen next; several at once make the interleavings. */
type Op =
  | { readonly type: 'publish' }
  /** The log is gone: numbers start again under another epoch. */
  | { readonly type: 'flush' }
  /** The feed loses one event. */
  | { readonly type: 'lose' }
  /** The oldest live events on their way arrive, so many together. */
  | { readonly type: 'arrive'; readonly count: number }
  /** The oldest read is answered, with what the log held when it was asked. */
  | { readonly type: 'answer' };

/**
 * Plays ops against a log, a feed that delivers late and a reader that answers late; then lets everything arrive, and
 * publishes until the subscriber has noticed every loss.
 *
 * @returns The broken rule.
 */
function play(ops: readonly Op[], make: Make, maxWaiting: number): string | undefined {
  let life = 0;
  let log: Item[] = [];
  const feed: Item[] = [];
  const answers: { readonly seq: number; readonly epoch: string; readonly missed: readonly Item[] | undefined }[] = [];
  const subscription = make(maxWaiting);
  let reading = false;
  let asked = 0;
  let told: { epoch: string; seq: number } | undefined;

  const epoch = () => `epoch ${life}`;
  const publish = (): Item => {
    const item = { epoch: epoch(), seq: log.length + 1 };
    log.push(item);
    return item;
  };
  const ask = () => {
    reading = true;
    asked += 1;
    const since = subscription.position;
    const known = since !== undefined && since.epoch === epoch() && since.seq <= log.length;
    answers.push({ epoch: epoch(), seq: log.length, missed: known ? log.slice(since.seq) : undefined });
  };
  /** The client's rule: the next number of the same epoch, nothing else. */
  const send = (item: Item): string | undefined => {
    if (told === undefined) return 'an event before the history';
    if (item.epoch !== told.epoch) return 'an event of another epoch without a snapshot';
    if (item.seq !== told.seq + 1) return item.seq <= told.seq ? 'an event twice' : 'an event is missing';
    told = item;
    return undefined;
  };
  const take = (item: Item): string | undefined => {
    const verdict: Verdict = subscription.push(item);
    if (verdict === 'hole') ask();
    return verdict === 'deliver' ? send(item) : undefined;
  };
  const arrive = (count: number): string | undefined => {
    const items = feed.splice(0, count);
    const [first, last] = [items[0], items.at(-1)];
    if (first === undefined || last === undefined) return undefined;
    const isRun = items.every((item, at) => item.epoch === first.epoch && item.seq === first.seq + at);
    const one = isRun && subscription.pushRun(first, last) ? send : take;
    for (const item of items) {
      const broken = one(item);
      if (broken !== undefined) return broken;
    }
    return undefined;
  };
  const answer = (): string | undefined => {
    const read = answers.shift();
    if (read === undefined) return undefined;
    reading = false;
    if (read.missed === undefined) told = { epoch: read.epoch, seq: read.seq };
    for (const item of read.missed ?? []) {
      const broken = send(item);
      if (broken !== undefined) return broken;
    }
    const { items, hole } = subscription.start({ epoch: read.epoch, seq: read.seq });
    for (const item of items) {
      const broken = send(item);
      if (broken !== undefined) return broken;
    }
    if (hole) ask();
    return undefined;
  };

  ask();
  const steps: Record<Exclude<Op['type'], 'arrive'>, () => string | undefined> = {
    publish: () => void feed.push(publish()),
    lose: () => void publish(),
    flush: () => {
      life += 1;
      log = [];
      return undefined;
    },
    answer,
  };
  for (const op of ops) {
    const broken = op.type === 'arrive' ? arrive(op.count) : steps[op.type]();
    if (broken !== undefined) return broken;
  }
  const settle = (): string | undefined => {
    let broken: string | undefined;
    while (broken === undefined && (feed.length > 0 || reading)) broken = arrive(2) ?? answer();
    return broken;
  };
  const early = settle();
  if (early !== undefined) return early;
  const isWhole = ops.every(({ type }) => type !== 'lose' && type !== 'flush') && maxWaiting >= ops.length;
  if (isWhole && (asked !== 1 || told?.seq !== log.length)) return 'nothing was lost, yet one read was not enough';
  for (let round = 0; round < 5; round += 1) {
    feed.push(publish());
    const broken = settle();
    if (broken !== undefined) return broken;
  }
  if (told?.epoch !== epoch() || told.seq !== log.length) return 'the subscriber does not end where the log ends';
  return undefined;
}

const ops = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.constant<Op>({ type: 'publish' }) },
    {
      weight: 5,
      arbitrary: fc.record({ type: fc.constant('arrive' as const), count: fc.integer({ min: 1, max: 4 }) }),
    },
    { weight: 3, arbitrary: fc.constant<Op>({ type: 'answer' }) },
    { weight: 1, arbitrary: fc.constant<Op>({ type: 'lose' }) },
    { weight: 1, arbitrary: fc.constant<Op>({ type: 'flush' }) },
  ),
  { maxLength: 60, size: 'max' },
);

const check = (make: Make) =>
  fc.check(
    fc.property(ops, fc.constantFrom(1, 2, 4, 100), (list, maxWaiting) => {
      const broken = play(list, make, maxWaiting);
      if (broken !== undefined) throw new Error(broken);
    }),
    { numRuns: 2_000, seed: 7 },
  );

/** Sends live events while the history is still being read. */
class Impatient extends Subscription<Item> {
  override push(item: Item): Verdict {
    const verdict = super.push(item);
    return verdict === 'kept' ? 'deliver' : verdict;
  }
}

/** Forgets what came while the history was read. */
class Forgetful extends Subscription<Item> {
  override start(position: Item) {
    super.start(position);
    const fresh = new Subscription<Item>(1);
    Object.assign(this, fresh);
    return super.start(position);
  }
}

/** Does not compare numbers with the history. */
class Doubling extends Subscription<Item> {
  private readonly all: Item[] = [];
  override push(item: Item): Verdict {
    const verdict = super.push(item);
    if (verdict === 'kept') this.all.push(item);
    return verdict;
  }
  override start(position: Item) {
    const { hole } = super.start(position);
    return { items: this.all.splice(0), hole };
  }
}

/** Does not look at the epoch. */
class Timeless extends Subscription<Item> {
  override push(item: Item): Verdict {
    return super.push({ ...item, epoch: this.position?.epoch ?? item.epoch });
  }
}

/** Takes every later event for the next one. */
class Blind extends Subscription<Item> {
  override push(item: Item): Verdict {
    const verdict = super.push(item);
    return verdict === 'hole' ? 'deliver' : verdict;
  }
}

/** Takes every run for the next one. */
class Hasty extends Subscription<Item> {
  override pushRun(first: Item, last: Item): boolean {
    if (this.position === undefined) return false;
    return super.pushRun({ ...first, seq: this.position.seq + 1 }, last);
  }
}

/** Does not notice that a run is of another life of the log. */
class Mixing extends Subscription<Item> {
  override pushRun(first: Item, last: Item): boolean {
    const epoch = this.position?.epoch ?? first.epoch;
    return super.pushRun({ ...first, epoch }, { ...last, epoch });
  }
}

/** Goes live though events had to be thrown away. */
class Careless extends Subscription<Item> {
  override start(position: Item) {
    return { ...super.start(position), hole: false };
  }
}

describe('a subscription', () => {
  it('sends the log without hole or double, whatever the order of history and live events', () => {
    const { failed, counterexample, errorInstance } = check((max) => new Subscription(max));
    expect({ failed, counterexample, error: (errorInstance as Error | null)?.message }).toEqual({
      failed: false,
      counterexample: null,
      error: undefined,
    });
  });

  for (const Mutant of [Impatient, Forgetful, Doubling, Timeless, Blind, Hasty, Mixing, Careless]) {
    it(`is checked well enough to catch the ${Mutant.name.toLowerCase()} one`, () => {
      expect(check((max) => new Mutant(max)).failed).toBe(true);
    });
  }

  it('counts as behind only what was sent before the mark', () => {
    const subscription = new Subscription<Item>(4);
    subscription.mark();
    expect(subscription.behind(0)).toBe(0);
    subscription.start({ epoch: 'e', seq: 10 });
    subscription.push({ epoch: 'e', seq: 11 });
    subscription.mark();
    subscription.push({ epoch: 'e', seq: 12 });
    expect([subscription.behind(11), subscription.behind(12), subscription.behind(4)]).toEqual([0, 0, 7]);
  });
});
