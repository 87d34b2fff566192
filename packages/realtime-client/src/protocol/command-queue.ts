/**
 * Owns the commands that wait for their answers: sent once a connection is open, sent again with the same id after a
 * reconnect, given up when their time is over. Refuses sockets and promises: the shell has them.
 */
import type { Reducer, Stamp, TimerInput, Transition } from '@guildkit/core';
import type { CommandFrame } from '@guildkit/core/wire';

/** How a command ended. */
export type CommandOutcome =
  | { readonly type: 'done'; readonly payload: unknown }
  | { readonly type: 'refused'; readonly payload: unknown }
  /** `sent`: whether the hub may have carried it out all the same. */
  | { readonly type: 'timeout' | 'aborted' | 'closed'; readonly sent: boolean }
  | { readonly type: 'full' };

/** A command without an answer. */
interface PendingCommand {
  readonly frame: CommandFrame;
  /** When patience ends, ms. */
  readonly by: number;
  /** Was given to a connection, perhaps to one that is gone. */
  readonly sent: boolean;
}

/** Everything that waits, in the order of the calls. */
export interface CommandQueueState {
  /** A connection is open and authenticated. */
  readonly open: boolean;
  readonly pending: ReadonlyMap<string, PendingCommand>;
}

/** What happens to the queue. */
export type CommandQueueInput =
  | {
      readonly type: 'call';
      readonly id: string;
      readonly name: string;
      readonly input: unknown;
      readonly forMs: number;
    }
  | { readonly type: 'opened' }
  /** The connection ended; another may follow. */
  | { readonly type: 'lost' }
  /** The client was closed: none will follow. */
  | { readonly type: 'closed' }
  | { readonly type: 'answered'; readonly id: string; readonly ok: boolean; readonly payload: unknown }
  | { readonly type: 'abort'; readonly id: string };

/** What the shell has to do. */
export type CommandQueueEffect =
  | { readonly type: 'send'; readonly frame: CommandFrame }
  | { readonly type: 'settle'; readonly id: string; readonly outcome: CommandOutcome };

type Input = (CommandQueueInput | TimerInput) & Stamp;
type Step = Transition<CommandQueueState, CommandQueueEffect>;

/** An empty queue. */
export const NO_COMMANDS: CommandQueueState = { open: false, pending: new Map() };

/** Makes the reducer of a queue that holds so many commands at most. */
export function commandQueueReducer(
  maxPending: number,
): Reducer<CommandQueueState, CommandQueueInput, CommandQueueEffect> {
  return { step: (state, input) => step(maxPending, state, input), deadline };
}

function deadline({ pending }: CommandQueueState): number | undefined {
  const next = Math.min(...[...pending.values()].map(({ by }) => by));
  return next < Infinity ? next : undefined;
}

function step(maxPending: number, state: CommandQueueState, input: Input): Step {
  switch (input.type) {
    case 'call': {
      const { id, name, input: given, forMs, now } = input;
      if (state.pending.size >= maxPending) {
        return { state, effects: [{ type: 'settle', id, outcome: { type: 'full' } }] };
      }
      const frame: CommandFrame = { v: 1, type: 'command', id, payload: { name, input: given } };
      const pending = new Map(state.pending).set(id, { frame, by: now + forMs, sent: state.open });
      return { state: { ...state, pending }, effects: state.open ? [{ type: 'send', frame }] : [] };
    }
    case 'opened': {
      const pending = new Map([...state.pending].map(([id, each]) => [id, { ...each, sent: true }]));
      // Sent before too: the hub knows the id and answers without doing it twice.
      const effects = [...pending.values()].map(({ frame }) => ({ type: 'send', frame }) as const);
      return { state: { open: true, pending }, effects };
    }
    case 'lost':
      return { state: { ...state, open: false }, effects: [] };
    case 'closed':
      return giveUp({ ...state, open: false }, 'closed', () => true);
    case 'answered': {
      const { id, ok, payload } = input;
      const outcome: CommandOutcome = { type: ok ? 'done' : 'refused', payload };
      return state.pending.has(id) ? settle(state, new Map([[id, outcome]])) : { state, effects: [] };
    }
    case 'abort':
      return giveUp(state, 'aborted', (id) => id === input.id);
    case 'timer':
      return giveUp(state, 'timeout', (_id, { by }) => input.now >= by);
  }
}

/** Ends the commands that `which` picks without an answer. */
function giveUp(
  state: CommandQueueState,
  type: 'timeout' | 'aborted' | 'closed',
  which: (id: string, command: PendingCommand) => boolean,
): Step {
  const ended = new Map<string, CommandOutcome>();
  for (const [id, command] of state.pending) if (which(id, command)) ended.set(id, { type, sent: command.sent });
  return settle(state, ended);
}

function settle(state: CommandQueueState, outcomes: ReadonlyMap<string, CommandOutcome>): Step {
  return {
    state: { ...state, pending: new Map([...state.pending].filter(([id]) => !outcomes.has(id))) },
    effects: [...outcomes].map(([id, outcome]) => ({ type: 'settle', id, outcome })),
  };
}
