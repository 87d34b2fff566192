/**
 * Two processes that stand for election, the Redis that decides, and what lies between: questions and answers that are
 * late, lost or come twice, processes that sleep or whose clocks are slow, a Redis that forgets or goes back. Time goes in
 * ticks. The processes run the real reducer; `server` says in JavaScript what the scripts say in Lua.
 */
import {
  createElection,
  type Election,
  type ElectionEffect,
  type ElectionInput,
  type ElectionState,
  initialElection,
  isOwnerAt,
} from '../../src/protocol/election.js';

export const RULES = { leaseMs: 3, marginMs: 1, renewEveryMs: 1, askEveryMs: 1 } as const;

/** Names an ownership: what a write carries, and what Redis compares. */
export interface Token {
  readonly term: number;
  readonly by: number;
  /** The question that was answered with it. */
  readonly ask: number;
}

/** What Redis keeps. `by` is -1 when the lease was given back. */
export interface Lease extends Token {
  readonly until: number;
}

const NOTHING: Lease = { term: 0, by: -1, ask: 0, until: 0 };

export type Question =
  | { readonly type: 'ask'; readonly by: number; readonly id: number; readonly floor: number }
  | { readonly type: 'renew'; readonly by: number; readonly id: number; readonly term: number; readonly lease: number }
  | { readonly type: 'release'; readonly by: number; readonly id: number };

/** On its way. Most are there at once; a late one comes at any time. */
type Sent = Question & { readonly isLate?: boolean };

/** The scripts. Exchanged by mutants. */
export interface Server {
  execute(
    standing: Lease,
    question: Question,
    now: number,
  ): { readonly standing: Lease; readonly answer: ElectionInput };
  /** Whether a write is taken. */
  takes(standing: Token, write: Token): boolean;
}

export const same = (one: Token, other: Token): boolean =>
  one.term === other.term && one.by === other.by && one.ask === other.ask;

export const server: Server = {
  execute(standing, question, now) {
    const { by, id } = question;
    const { leaseMs } = RULES;
    if (question.type === 'ask') {
      const held = (remainingMs: number) => ({ type: 'held', id, term: standing.term, remainingMs }) as const;
      if (standing.by === by) {
        if (standing.ask >= id) return { standing, answer: held(0) };
      } else if (standing.by >= 0 && standing.until > now) {
        const left = Math.min(standing.until - now, leaseMs);
        return { standing: { ...standing, until: now + left }, answer: held(left) };
      }
      const term = Math.max(standing.term, question.floor) + 1;
      return { standing: { term, by, ask: id, until: now + leaseMs }, answer: { type: 'granted', id, term } };
    }
    if (question.type === 'renew') {
      return same(standing, { term: question.term, by, ask: question.lease })
        ? { standing: { ...standing, until: now + leaseMs }, answer: { type: 'renewed', id } }
        : { standing, answer: { type: 'lost', id, term: standing.term } };
    }
    const isTheirs = standing.by === by && standing.ask < id;
    return { standing: isTheirs ? { ...standing, by: -1, until: 0 } : standing, answer: { type: 'released', id } };
  },
  takes: same,
};

interface Process {
  readonly state: ElectionState;
  /** Ticks that its clock is behind. */
  readonly lag: number;
  /** The ownership whose work runs. */
  readonly work: Token | undefined;
  /** The work was told to end. */
  readonly isTold: boolean;
}

/** How often what may yet go wrong. */
export interface Faults {
  /** A clock that loses a tick. */
  readonly lag: number;
  /** Questions and answers that are lost. */
  readonly loss: number;
  /** Questions that Redis takes up late. */
  readonly late: number;
  /** Questions that are done again, later. */
  readonly twice: number;
  /** Redis forgets everything, goes back to what it had saved, or its clock goes back. */
  readonly data: number;
  /** Work that ends by itself or is given up, processes that close or die. */
  readonly resign: number;
}

export const NO_FAULTS: Faults = { lag: 0, loss: 0, late: 0, twice: 0, data: 0, resign: 0 };

export interface World {
  readonly now: number;
  readonly standing: Lease;
  /** What Redis would go back to. */
  readonly saved: Lease | undefined;
  readonly processes: readonly Process[];
  readonly questions: readonly Sent[];
  readonly answers: readonly { readonly to: number; readonly input: ElectionInput }[];
  /** The last ownerships that are over: another was granted since. A write of theirs may arrive at any time. */
  readonly dead: readonly Token[];
  readonly left: Faults;
  /** Redis has forgotten something: two may think that they are the owner, but not both write. */
  readonly hasLost: boolean;
}

export type Move =
  | { readonly type: 'tick'; readonly slow: number | undefined }
  | { readonly type: 'wake' | 'refuse' | 'finish' | 'resign' | 'close' | 'die'; readonly who: number }
  | { readonly type: 'execute'; readonly n: number; readonly twice: boolean }
  | { readonly type: 'delay' | 'loseQuestion' | 'loseAnswer'; readonly n: number }
  | { readonly type: 'answer'; readonly n: number; readonly what: ElectionInput['type'] }
  | { readonly type: 'flush' | 'save' | 'goBack' | 'clockBack' };

/** What a move did that a rule looks at. */
export type Fact =
  | { readonly type: 'effect'; readonly effect: ElectionEffect; readonly before: Process }
  | { readonly type: 'granted'; readonly token: Token; readonly before: Lease };

/** Ownerships that are over and still remembered. */
const MOST_DEAD = 2;

export const at = <T>(list: readonly T[], n: number): T => list[n] as T;
const without = <T>(list: readonly T[], n: number): T[] => list.filter((_, index) => index !== n);
const replaced = <T>(list: readonly T[], n: number, item: T): T[] =>
  list.map((old, index) => (index === n ? item : old));

export function initialWorld(left: Faults, processes = 2): World {
  const process: Process = { state: initialElection(0), lag: 0, work: undefined, isTold: false };
  return {
    now: 0,
    standing: NOTHING,
    saved: undefined,
    processes: Array.from({ length: processes }, () => process),
    questions: [],
    answers: [],
    dead: [],
    left,
    hasLost: false,
  };
}

const clockOf = (world: World, who: number): number => world.now - at(world.processes, who).lag;
/** Whether a process thinks that it is the owner. */
export const believes = (world: World, who: number): boolean =>
  isOwnerAt(at(world.processes, who).state, clockOf(world, who));

export interface ModelWorld {
  step(world: World, move: Move): { readonly state: World; readonly effects: readonly Fact[] };
  moves(world: World): Move[];
  ticksUntilOwner(world: World, most: number): number | undefined;
}

/** @param keepsStale Whether answers that came too late are still heard. */
export function createWorld(
  election: Election = createElection(RULES),
  scripts: Server = server,
  keepsStale = false,
): ModelWorld {
  function feed(world: World, who: number, input: ElectionInput | { readonly type: 'timer' }, facts: Fact[]): World {
    const before = at(world.processes, who);
    const { state, effects } = election.step(before.state, { ...input, now: clockOf(world, who), random: 0 });
    let next: Process = { ...before, state };
    if (input.type === 'finished') next = { ...next, work: undefined, isTold: false };
    const questions = [...world.questions];
    for (const effect of effects) {
      facts.push({ type: 'effect', effect, before });
      if (effect.type === 'ask' || effect.type === 'renew' || effect.type === 'release') {
        questions.push({ ...effect, by: who });
      } else if (effect.type === 'elect') {
        next = { ...next, work: { term: effect.term, by: who, ask: effect.lease }, isTold: false };
      } else if (effect.type === 'end' && next.work !== undefined) next = { ...next, isTold: true };
    }
    return { ...world, processes: replaced(world.processes, who, next), questions };
  }

  function execute(world: World, n: number, twice: boolean, facts: Fact[]): World {
    const question = at(world.questions, n);
    const before = world.standing;
    const { standing, answer } = scripts.execute(before, question, world.now);
    let { dead } = world;
    if (answer.type === 'granted') {
      facts.push({ type: 'granted', token: standing, before });
    }
    // Granted to another, or given back: its writes may be under way still.
    if (before.by >= 0 && !same(before, standing)) {
      const { term, by, ask } = before;
      dead = [...dead, { term, by, ask }].slice(-MOST_DEAD);
    }
    return {
      ...world,
      standing,
      dead,
      questions: twice ? replaced(world.questions, n, { ...question, isLate: true }) : without(world.questions, n),
      answers: [...world.answers, { to: question.by, input: answer }],
    };
  }

  /** Without answers that nobody waits for any more: what they do is tried at random, see `owner-random.test.ts`. */
  function awaited(world: World): World {
    const answers = world.answers.filter(({ to, input }) => {
      const { state } = at(world.processes, to);
      const { id } = input as { readonly id: number };
      return ('id' in state && state.id === id) || ('renewal' in state && state.renewal?.id === id);
    });
    return answers.length === world.answers.length ? world : { ...world, answers };
  }

  function step(world: World, move: Move): { readonly state: World; readonly effects: readonly Fact[] } {
    const effects: Fact[] = [];
    const spend = (what: keyof Faults): Faults => ({ ...world.left, [what]: world.left[what] - 1 });
    const result = (state: World) => ({ state: keepsStale ? state : awaited(state), effects });
    switch (move.type) {
      case 'tick': {
        const { slow } = move;
        const processes = world.processes.map((process, who) =>
          who === slow ? { ...process, lag: process.lag + 1 } : process,
        );
        return result({
          ...world,
          now: world.now + 1,
          processes,
          left: slow === undefined ? world.left : spend('lag'),
        });
      }
      case 'wake':
        return result(feed(world, move.who, { type: 'timer' }, effects));
      case 'refuse': {
        // A write of the work that runs.
        const { term } = at(world.processes, move.who).work as Token;
        return result(feed(world, move.who, { type: 'refused', term, seen: world.standing.term }, effects));
      }
      case 'finish': {
        const left = at(world.processes, move.who).isTold ? world.left : spend('resign');
        return result(feed({ ...world, left }, move.who, { type: 'finished' }, effects));
      }
      case 'resign':
      case 'close':
        return result(feed({ ...world, left: spend('resign') }, move.who, { type: move.type }, effects));
      case 'die': {
        const { state, lag } = at(world.processes, move.who);
        const { ids, floor } = state;
        const gone: Process = { state: { phase: 'closed', ids, floor }, lag, work: undefined, isTold: false };
        return result({ ...world, processes: replaced(world.processes, move.who, gone), left: spend('resign') });
      }
      case 'execute': {
        const left = move.twice ? spend('twice') : world.left;
        return result(execute({ ...world, left }, move.n, move.twice, effects));
      }
      case 'delay': {
        const questions = replaced(world.questions, move.n, { ...at(world.questions, move.n), isLate: true });
        return result({ ...world, questions, left: spend('late') });
      }
      case 'loseQuestion': {
        const { by, id } = at(world.questions, move.n);
        const answers = [...world.answers, { to: by, input: { type: 'failed', id } as const }];
        return result({ ...world, questions: without(world.questions, move.n), answers, left: spend('loss') });
      }
      case 'loseAnswer':
        return result({ ...world, answers: without(world.answers, move.n), left: spend('loss') });
      case 'answer': {
        const { to, input } = at(world.answers, move.n);
        return result(feed({ ...world, answers: without(world.answers, move.n) }, to, input, effects));
      }
      case 'flush':
        return result({ ...world, standing: NOTHING, dead: [], left: spend('data'), hasLost: true });
      case 'save':
        return result({ ...world, saved: world.standing });
      case 'goBack': {
        // What was taken since is undone, too: what stands again is not over.
        const standing = world.saved as Lease;
        const dead = world.dead.filter((token) => !same(token, standing));
        return result({ ...world, standing, dead, saved: undefined, left: spend('data'), hasLost: true });
      }
      case 'clockBack': {
        const standing = { ...world.standing, until: world.standing.until + 10 * RULES.leaseMs };
        return result({ ...world, standing, left: spend('data') });
      }
    }
  }

  function moves(world: World): Move[] {
    const { left, standing, questions, answers, processes, saved } = world;
    const found: Move[] = [];
    questions.forEach(({ isLate = false }, n) => {
      found.push({ type: 'execute', n, twice: false });
      if (left.twice > 0) found.push({ type: 'execute', n, twice: true });
      if (left.loss > 0) found.push({ type: 'loseQuestion', n });
      if (left.late > 0 && !isLate) found.push({ type: 'delay', n });
    });
    if (questions.some(({ isLate = false }) => !isLate)) return found;
    found.push({ type: 'tick', slow: undefined });
    const open = processes.filter(
      ({ state }) => state.phase !== 'closed' && !('next' in state && state.next === 'closed'),
    );
    processes.forEach(({ state, work, isTold }, who) => {
      if (left.lag > 0) found.push({ type: 'tick', slow: who });
      const due = election.deadline(state);
      if (due !== undefined && due <= clockOf(world, who)) found.push({ type: 'wake', who });
      if (work !== undefined && !isTold && !scripts.takes(standing, work)) found.push({ type: 'refuse', who });
      if (work !== undefined && (isTold || left.resign > 0)) found.push({ type: 'finish', who });
      if (left.resign > 0) found.push({ type: 'resign', who });
      if (left.resign > 0 && (open.length > 1 || processes.length === 1))
        found.push({ type: 'close', who }, { type: 'die', who });
    });
    answers.forEach(({ input }, n) => {
      found.push({ type: 'answer', n, what: input.type });
      if (left.loss > 0) found.push({ type: 'loseAnswer', n });
    });
    if (left.data > 0 && standing.term > 0) {
      found.push({ type: 'flush' }, { type: 'clockBack' });
      found.push(saved === undefined ? { type: 'save' } : { type: 'goBack' });
    }
    return found;
  }

  /** With no more faults and nobody asleep: after how many ticks somebody owns it and can write, or `undefined`. */
  function ticksUntilOwner(from: World, most: number): number | undefined {
    let world: World = { ...from, left: NO_FAULTS };
    for (let ticks = 0; ticks <= most; ticks += 1) {
      for (let isBusy = true; isBusy; ) {
        const next = moves(world).find(({ type }) => type !== 'tick');
        isBusy = next !== undefined;
        if (next !== undefined) world = step(world, next).state;
      }
      const isOwned = world.processes.some(
        ({ work }, who) => work !== undefined && believes(world, who) && scripts.takes(world.standing, work),
      );
      if (isOwned) return ticks;
      world = step(world, { type: 'tick', slow: undefined }).state;
    }
    return undefined;
  }

  return { step, moves, ticksUntilOwner };
}

/** What makes two worlds the same: times by distance, terms by order, numbers of questions by age. */
export function keyOf(world: World): string {
  const { now, standing, saved, processes, questions, answers, dead, left, hasLost } = world;
  // What is heard of terms counts only where Redis may forget its own.
  const floorsCount = hasLost || left.data > 0;
  const terms = new Set<number>([standing.term]);
  if (saved !== undefined) terms.add(saved.term);
  for (const { state, work } of processes) {
    if (floorsCount) terms.add(state.floor);
    if (work !== undefined) terms.add(work.term);
  }
  for (const question of questions) {
    if (question.type === 'renew') terms.add(question.term);
    if (question.type === 'ask' && floorsCount) terms.add(question.floor);
  }
  for (const { input } of answers)
    if ('term' in input && (floorsCount || input.type === 'granted')) terms.add(input.term);
  for (const token of dead) terms.add(token.term);
  const ranks = [...terms].sort((a, b) => a - b);
  // The next term is one more: whether there is room between two terms matters.
  const rankOf = (of: number): string => `${ranks.indexOf(of)}${!floorsCount || ranks.includes(of + 1) ? '' : '.'}`;
  // Of numbers only the order counts: the next is higher than all.
  const numbers = processes.map(({ state, work }, who) => {
    const known = [state.ids, ...(work === undefined ? [] : [work.ask]), ...('id' in state ? [state.id] : [])];
    if ('until' in state && state.renewal !== undefined) known.push(state.renewal.id);
    for (const token of [standing, ...(saved === undefined ? [] : [saved]), ...dead])
      if (token.by === who) known.push(token.ask);
    for (const question of questions) {
      if (question.by === who) known.push(question.id, ...(question.type === 'renew' ? [question.lease] : []));
    }
    for (const { to, input } of answers) if (to === who) known.push((input as { readonly id: number }).id);
    return [...new Set(known)].sort((a, b) => a - b);
  });
  const age = (who: number, id: number): number => (who < 0 ? 0 : at(numbers, who).indexOf(id));
  const tokenKey = ({ term, by, ask }: Token): string => `${rankOf(term)},${by},${age(by, ask)}`;
  const leaseKey = (lease: Lease | undefined): string =>
    lease === undefined ? '' : `${tokenKey(lease)},${Math.max(0, lease.until - now)}`;
  const processKey = ({ state, lag, work, isTold }: Process, who: number): string => {
    const own = (time: number): number => Math.max(-RULES.leaseMs, time + lag - now);
    const parts: unknown[] = [state.phase, rankOf(state.floor), work && tokenKey(work), isTold];
    if ('askAt' in state) parts.push(Math.max(0, own(state.askAt)));
    if ('sentAt' in state) parts.push(own(state.sentAt), age(who, state.id));
    if ('until' in state) {
      const { renewal } = state;
      parts.push(Math.max(0, own(state.until)), Math.max(0, own(state.renewAt)));
      if (renewal !== undefined) parts.push(age(who, renewal.id), own(renewal.sentAt));
    }
    if ('next' in state) parts.push(state.next, state.restMs);
    return parts.join(',');
  };
  const questionKey = (question: Question): string => {
    const { type, by, id } = question;
    if (type === 'ask') return `a${by}${age(by, id)}${rankOf(question.floor)}`;
    return type === 'renew' ? `r${by}${age(by, id)}${rankOf(question.term)}` : `g${by}${age(by, id)}`;
  };
  return [
    leaseKey(standing),
    leaseKey(saved),
    ...processes.map(processKey),
    questions
      .map((question) => questionKey(question) + (question.isLate ?? false))
      .sort()
      .join(','),
    answers
      .map(({ to, input }) => {
        const term = 'term' in input ? rankOf(input.term) : '';
        return `${input.type}${to}${age(to, (input as { readonly id: number }).id)}${term}`;
      })
      .sort()
      .join(','),
    dead.map(tokenKey).join(';'),
    Object.values(left).join(''),
    hasLost,
  ].join('|');
}
