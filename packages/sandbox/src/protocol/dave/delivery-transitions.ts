/**
 * Owns the transitions of one channel: who is told of one, who is waited for, when it is executed (DAVE whitepaper, "Protocol
 * Transitions"). Pure.
 */
import type { DeliveryDraft } from './delivery-draft.js';
import type { DeliveryMember, DeliveryRules, PendingTransition } from './delivery-types.js';

/** Transition ids have 16 bits. */
const LAST_TRANSITION_ID = 0xffff;
/** Transitions under way at once; with one more the oldest is executed. */
const MAX_TRANSITIONS = 2;

/** The transitions of a step. */
export interface Transitions {
  /** A new id. */
  next(): number;
  /** Waits for the members that are there; executed at once when there is none. */
  open(id: number, kind: PendingTransition['kind'], members: readonly DeliveryMember[]): void;
  /** A member says that it can take the new keys. */
  ready(userId: string, transitionId: number): void;
  /** `isGone`: it is not told of the execution either. */
  stopWaitingFor(userId: string, isGone: boolean): void;
  /** Executes what has waited long enough. */
  expire(): void;
}

/** Works on the draft of a step at `now`. */
export function createTransitions(draft: DeliveryDraft, rules: DeliveryRules, now: number): Transitions {
  const { set, emit, count, change } = draft;

  function execute({ id, told }: PendingTransition): void {
    set({ transitions: draft.state.transitions.filter((one) => one.id !== id) });
    count('transitions');
    for (const to of told) emit({ type: 'execute', to, transitionId: id });
  }

  /** Takes users off the lists, and executes what nobody is waited for any more. */
  function settle(usersOf: (transition: PendingTransition) => readonly string[], isGone: boolean): void {
    for (const transition of draft.state.transitions) {
      const users = usersOf(transition);
      const waiting = transition.waiting.filter((userId) => !users.includes(userId));
      const told = isGone ? transition.told.filter((userId) => !users.includes(userId)) : transition.told;
      if (waiting.length === transition.waiting.length && told.length === transition.told.length) continue;
      const next = { ...transition, waiting, told };
      set({ transitions: draft.state.transitions.map((one) => (one === transition ? next : one)) });
      if (waiting.length === 0) execute(next);
    }
  }

  return {
    next() {
      const id = draft.state.lastTransition >= LAST_TRANSITION_ID ? 1 : draft.state.lastTransition + 1;
      set({ lastTransition: id });
      return id;
    },
    open(id, kind, members) {
      const told = members.map(({ userId }) => userId);
      const waiting = members.filter(({ attached }) => attached).map(({ userId }) => userId);
      const transition = { id, kind, told, waiting, by: now + rules.transitionTimeoutMs };
      set({ transitions: [...draft.state.transitions, transition] });
      const [oldest] = draft.state.transitions;
      if (oldest !== undefined && draft.state.transitions.length > MAX_TRANSITIONS) execute(oldest);
      if (waiting.length === 0) execute(transition);
    },
    ready(userId, transitionId) {
      // A late or an unknown one is no mistake: the timeout may have been faster.
      const isAwaited = draft.state.transitions.some(({ id, kind, waiting }) => {
        return id === transitionId && kind === 'commit' && waiting.includes(userId);
      });
      if (isAwaited) change(userId, { flags: 0 });
      settle((transition) => (transition.id === transitionId ? [userId] : []), false);
    },
    stopWaitingFor: (userId, isGone) => settle(() => [userId], isGone),
    expire() {
      for (const transition of draft.state.transitions) {
        if (now < transition.by) continue;
        count('transitionTimeouts');
        execute(transition);
      }
    },
  };
}
