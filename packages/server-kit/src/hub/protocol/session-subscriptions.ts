/** Owns what a connection hears: from the question whether it may to the last event, and every way that ends. */
import { type Position, parseRoom } from '@guildkit/core/wire';
import type { HubErrorCode } from '../../errors.js';
import { fail, go, RETRY_AFTER_MS, refusal, stay, withoutSub, withSub } from './session-steps.js';
import type {
  SessionEffect,
  SessionInput,
  SessionLimits,
  SessionState,
  SessionStep,
  SessionSubscription,
} from './session-types.js';

export function subscribe(
  limits: SessionLimits,
  state: SessionState,
  room: string,
  re: string,
  since: Position | undefined,
): SessionStep {
  if (state.phase === 'draining') {
    return go(state, { ...refusal('ERR_HUB_DRAINING', re, room), retryAfterMs: RETRY_AFTER_MS });
  }
  if (parseRoom(room) === undefined) return go(state, refusal('ERR_HUB_ROOM_INVALID', re, room));
  // A client that found a hole subscribes anew from where it is: the old subscription makes way.
  const { state: free, effects } = drop(state, room);
  if (free.subscriptions.size >= limits.maxSubscriptions) {
    return { state: free, effects: [...effects, refusal('ERR_HUB_SUBSCRIPTION_LIMIT', re, room)] };
  }
  const ticket = free.tickets + 1;
  const sub: SessionSubscription = { stage: 'authorizing', ticket, re, since, recheck: undefined };
  return {
    state: { ...withSub(free, room, sub), tickets: ticket },
    effects: [...effects, { type: 'authorize', room, ticket }],
  };
}

export function onAuthorized(
  state: SessionState,
  { room, ticket, verdict }: Extract<SessionInput, { type: 'authorized' }>,
): SessionStep {
  const sub = state.subscriptions.get(room);
  if (sub === undefined) return stay(state);
  const isFirst = sub.stage === 'authorizing' && sub.ticket === ticket;
  if (!isFirst && sub.recheck !== ticket) return stay(state);
  if (verdict === 'denied') return revoke(state, room, sub);
  // A check that failed is not a yes.
  if (verdict === 'failed') return giveUp(state, room, sub);
  if (!isFirst) return stay(withSub(state, room, { ...sub, recheck: undefined }));
  return go(withSub(state, room, { ...sub, stage: 'joining' }), { type: 'join', room, ticket, since: sub.since });
}

export function onRead(
  state: SessionState,
  { room, ticket, read }: Extract<SessionInput, { type: 'read' }>,
): SessionStep {
  const sub = state.subscriptions.get(room);
  if (sub?.ticket !== ticket || (sub.stage !== 'joining' && sub.stage !== 'resyncing')) return stay(state);
  const live = withSub(state, room, { ...sub, stage: 'live', re: undefined, since: undefined });
  return go(live, { type: 'start', room, ticket, re: sub.re, read });
}

export function onReadFailed(
  state: SessionState,
  { room, ticket }: Extract<SessionInput, { type: 'readFailed' }>,
): SessionStep {
  const sub = state.subscriptions.get(room);
  if (sub?.ticket !== ticket || (sub.stage !== 'joining' && sub.stage !== 'resyncing')) return stay(state);
  return giveUp(state, room, sub);
}

/** Asks again for what is or is about to be heard. */
export function recheck(state: SessionState, only: string | undefined): SessionStep {
  const subscriptions = new Map(state.subscriptions);
  const effects: SessionEffect[] = [];
  let { tickets } = state;
  for (const [room, sub] of state.subscriptions) {
    if (only !== undefined && only !== room) continue;
    tickets += 1;
    effects.push({ type: 'authorize', room, ticket: tickets });
    // The answer under way may be from before the change: it is not waited for.
    subscriptions.set(room, sub.stage === 'authorizing' ? { ...sub, ticket: tickets } : { ...sub, recheck: tickets });
  }
  return effects.length === 0 ? stay(state) : { state: { ...state, subscriptions, tickets }, effects };
}

/** Access is denied: ends the subscription, and says so. */
function revoke(state: SessionState, room: string, sub: SessionSubscription): SessionStep {
  const code: HubErrorCode = 'ERR_HUB_ROOM_FORBIDDEN';
  const told: readonly SessionEffect[] =
    sub.re === undefined
      ? [
          { type: 'count', code },
          { type: 'control', event: 'sys.unsubscribed', payload: { room, code } },
        ]
      : [refusal(code, sub.re, room)];
  return { state: withoutSub(state, room), effects: [...leave(room, sub), ...told] };
}

/** The room cannot be read, or nobody can say whether it may be. */
function giveUp(state: SessionState, room: string, sub: SessionSubscription): SessionStep {
  const code: HubErrorCode = 'ERR_HUB_SUBSCRIPTION_FAILED';
  // A client that is promised every event may not go on as if it had them: it reconnects and recovers.
  if (sub.re === undefined) return fail(state, 1013, code, { retryAfterMs: RETRY_AFTER_MS });
  const told = { ...refusal(code, sub.re, room), retryAfterMs: RETRY_AFTER_MS };
  return { state: withoutSub(state, room), effects: [...leave(room, sub), told] };
}

/** Ends a subscription by the client's will. A `subscribe` that waits is answered first. */
export function drop(state: SessionState, room: string): SessionStep {
  const sub = state.subscriptions.get(room);
  if (sub === undefined) return stay(state);
  const answer = sub.re === undefined ? [] : [refusal('ERR_HUB_SUBSCRIPTION_CANCELLED', sub.re, room)];
  return { state: withoutSub(state, room), effects: [...leave(room, sub), ...answer] };
}

function leave(room: string, { stage, ticket }: SessionSubscription): readonly SessionEffect[] {
  return stage === 'authorizing' ? [] : [{ type: 'leave', room, ticket }];
}
