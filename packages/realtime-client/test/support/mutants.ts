/** The reducer with one mistake each. A test that lets one of them pass tests nothing. */
import type { Envelope, SubscribeAck } from '@guildkit/core/wire';
import type { ConnectionEffect, ConnectionState } from '../../src/protocol/connection-state.js';
import { NEVER, type RoomState } from '../../src/protocol/room.js';
import { type Machine, machine } from './world.js';

type StepInput = Parameters<Machine['step']>[1];
type Step = (state: ConnectionState, input: StepInput) => ReturnType<Machine['step']>;

function mutant(wrap: (step: Step) => Step, deadline?: (honest: Machine['deadline']) => Machine['deadline']): Machine {
  const honest = machine();
  return { step: wrap(honest.step), deadline: deadline?.(honest.deadline) ?? honest.deadline };
}

function patchRoom(state: ConnectionState, name: string | undefined, patch: (room: RoomState) => Partial<RoomState>) {
  const room = state.rooms.get(name ?? '');
  if (room === undefined) return state;
  return { ...state, rooms: new Map(state.rooms).set(name ?? '', { ...room, ...patch(room) }) };
}

type LogEvent = Extract<StepInput, { readonly type: 'frame' }> & {
  readonly frame: Envelope & { readonly seq: number };
};

const isLogEvent = (input: StepInput): input is LogEvent =>
  input.type === 'frame' && input.frame?.type === 'event' && input.frame.seq !== undefined;

/** Pretends that what comes is what was due, when `when` says so. */
const pretendNext = (when: (seq: number, position: number) => boolean) =>
  mutant((step) => (state, input) => {
    if (!isLogEvent(input) || input.gen !== state.gen) return step(state, input);
    const { room, seq } = input.frame;
    return step(
      patchRoom(state, room, ({ position }) =>
        position !== undefined && when(seq, position.seq) ? { position: { ...position, seq: seq - 1 } } : {},
      ),
      input,
    );
  });

const mapEffects = (map: (effect: ConnectionEffect) => readonly ConnectionEffect[]): Machine =>
  mutant((step) => (state, input) => {
    const next = step(state, input);
    return { state: next.state, effects: next.effects.flatMap(map) };
  });

const mapState = (map: (to: ConnectionState, from: ConnectionState, input: StepInput) => ConnectionState): Machine =>
  mutant((step) => (state, input) => {
    const next = step(state, input);
    return { ...next, state: map(next.state, state, input) };
  });

const isAuthed = ({ phase }: ConnectionState) => phase === 'recovering' || phase === 'open';
const isGreeting = ({ phase }: ConnectionState) => phase === 'connecting' || phase === 'greeted';

export const MUTANTS: Readonly<Record<string, () => Machine>> = {
  'takes a seq that was seen': () => pretendNext((seq, position) => seq <= position),
  'skips over holes': () => pretendNext((seq, position) => seq > position + 1),
  'listens to old sockets': () =>
    mutant((step) => (state, input) => step(state, 'gen' in input ? { ...input, gen: state.gen } : input)),
  'asks from one too far': () =>
    mapEffects((effect) => {
      if (effect.type !== 'send' || effect.frame.type !== 'subscribe') return [effect];
      const { room, since } = effect.frame.payload;
      if (since === undefined) return [effect];
      return [{ ...effect, frame: { ...effect.frame, payload: { room, since: { ...since, seq: since.seq + 1 } } } }];
    }),
  'keeps its state when the epoch changes': () =>
    mapState((to, from, input) => {
      if (input.type !== 'frame' || input.frame?.type !== 'ack') return to;
      const { room, epoch } = input.frame.payload as SubscribeAck;
      const before = from.rooms.get(room ?? '');
      if (before?.position === undefined || before.position.epoch === epoch) return to;
      return patchRoom(to, room, () => ({ snapshot: before.snapshot }));
    }),
  'does not subscribe again': () => {
    let asked = false;
    return mapEffects((effect) => {
      if (effect.type === 'dial') asked = effect.gen > 1;
      return asked && effect.type === 'send' && effect.frame.type === 'subscribe' ? [] : [effect];
    });
  },
  'waits for an answer for ever': () =>
    mapState((to) => ({
      ...to,
      rooms: new Map(
        [...to.rooms].map(([name, room]) => [name, room.ask ? { ...room, ask: { ...room.ask, by: NEVER } } : room]),
      ),
    })),
  'does not notice silence': () => mapState((to) => (isAuthed(to) ? { ...to, dueAt: NEVER } : to)),
  'waits for the welcome for ever': () => mapState((to) => (isGreeting(to) ? { ...to, dueAt: 1e15 } : to)),
  'never tries again': () => mapState((to) => (to.phase === 'waiting' ? { ...to, dueAt: NEVER } : to)),
  'delivers what waited in the wrong order': () =>
    mutant((step) => (state, input) => {
      const next = step(state, input);
      return { ...next, effects: [...next.effects].reverse() };
    }),
  'keeps a state that a bad payload has spoilt': () =>
    mapState((to, from, input) => {
      if (!isLogEvent(input) || input.frame.payload !== null || input.gen !== from.gen) return to;
      return patchRoom(to, input.frame.room, (room) =>
        room.position === undefined && from.rooms.get(input.frame.room ?? '')?.position !== undefined
          ? {
              position: { epoch: from.rooms.get(input.frame.room ?? '')?.position?.epoch ?? '', seq: input.frame.seq },
              ask: undefined,
              phase: 'live',
            }
          : {},
      );
    }),
};
