/** Owns the working copy of one step of the delivery service: the state so far, and the effects in their order. Pure. */
import type {
  DeliveryCount,
  DeliveryEffect,
  DeliveryMember,
  DeliveryRefusal,
  DeliveryState,
} from './delivery-types.js';

/** What a step has come to. */
export interface DeliveryDraft {
  readonly state: DeliveryState;
  readonly effects: readonly DeliveryEffect[];
  set(change: Partial<DeliveryState>): void;
  emit(effect: DeliveryEffect): void;
  count(what: DeliveryCount, by?: number): void;
  refuse(reason: DeliveryRefusal): void;
  memberOf(userId: string): DeliveryMember | undefined;
  /** Changes one member. */
  change(userId: string, changes: Partial<DeliveryMember>): void;
}

/** Begins a step. */
export function createDraft(from: DeliveryState): DeliveryDraft {
  let state = from;
  const effects: DeliveryEffect[] = [];
  const set: DeliveryDraft['set'] = (change) => {
    state = { ...state, ...change };
  };
  const emit: DeliveryDraft['emit'] = (effect) => {
    effects.push(effect);
  };
  return {
    get state() {
      return state;
    },
    effects,
    set,
    emit,
    count: (what, by = 1) => emit({ type: 'count', what, by }),
    refuse: (reason) => emit({ type: 'refuse', reason }),
    memberOf: (userId) => state.members.find((member) => member.userId === userId),
    change: (userId, changes) =>
      set({ members: state.members.map((member) => (member.userId === userId ? { ...member, ...changes } : member)) }),
  };
}

/** Members of the group whose leaf holds: they have its keys. */
export function inGroup(state: DeliveryState): string[] {
  return state.leaves.filter((userId, leaf): userId is string => {
    return userId !== undefined && !state.stale.includes(leaf) && state.members.some((one) => one.userId === userId);
  });
}
