/**
 * Owns what one tab does for all: the tabs speak to it as to a hub, and it speaks for them to the hub as one client. Keeps
 * each room's state and last events, so that a tab that comes later, or comes back, is answered here. Refuses channels,
 * locks and sockets: the shell has them. Has no timers: the tabs notice silence, and one that gives up ends it for all.
 */
import type { Transition } from '@guildkit/core';
import type { ClientFrame, Envelope, Position } from '@guildkit/core/wire';
import { fieldsOf, textOf } from './frame.js';
import { detach, NEVER, NEW_ROOM, type RoomChange, type RoomState, receive, restore } from './room.js';

/** A tab's question about a room. */
interface TabAsk {
  readonly id: string;
  readonly since?: Position | undefined;
}

/** A room that a tab wants, or wanted on the connection before. */
interface RelayRoom {
  readonly state: RoomState;
  /** Last events of the log, the newest last. */
  readonly recent: readonly Envelope[];
  /** Tabs that hear its events. */
  readonly tabs: ReadonlySet<string>;
  /** Tabs that wait until the room has its state. */
  readonly asks: ReadonlyMap<string, TabAsk>;
}

/** Everything the relay knows. */
export interface RelayState {
  /** There is a connection to the hub, or one is being made. */
  readonly linked: boolean;
  readonly welcome?: Envelope | undefined;
  readonly degraded?: Envelope | undefined;
  readonly authenticated: boolean;
  readonly tabs: ReadonlySet<string>;
  readonly rooms: ReadonlyMap<string, RelayRoom>;
  /** Which tab a frame to the hub came from, by the frame's id there. */
  readonly owners: ReadonlyMap<string, { readonly tab: string; readonly id: string }>;
  readonly nextId: number;
}

/** What happens to the relay. */
export type RelayInput =
  | { readonly type: 'attach'; readonly tab: string }
  /** `broken`: the tab has given the connection up, which is the same for all. */
  | { readonly type: 'leave'; readonly tab: string; readonly broken: boolean }
  | { readonly type: 'said'; readonly tab: string; readonly frame: ClientFrame }
  | { readonly type: 'heard'; readonly frame: Envelope }
  | { readonly type: 'lost'; readonly code: number; readonly reason: string };

/** What the shell has to do. */
export type RelayEffect =
  | { readonly type: 'dial' }
  | { readonly type: 'hangUp'; readonly code: number }
  | { readonly type: 'send'; readonly frame: ClientFrame }
  | { readonly type: 'tell'; readonly tab: string; readonly frame: Envelope }
  | { readonly type: 'end'; readonly tab: string; readonly code: number; readonly reason: string };

/** Events of a room that are kept for tabs that come back. */
const MAX_RECENT = 256;
/** Frames of tabs without an answer that are remembered. */
const MAX_OWNERS = 500;

/** A relay that nobody has come to. */
export const NO_TABS: RelayState = {
  linked: false,
  authenticated: false,
  tabs: new Set(),
  rooms: new Map(),
  owners: new Map(),
  nextId: 1,
};

/** One step of the relay. */
export function relayStep(before: RelayState, input: RelayInput): Transition<RelayState, RelayEffect> {
  let s = before;
  const effects: RelayEffect[] = [];

  const tell = (tab: string, frame: Partial<Envelope> & { readonly event: string }): void => {
    effects.push({ type: 'tell', tab, frame: { v: 1, type: 'event', payload: {}, ts: 0, ...frame } });
  };
  const send = (frame: ClientFrame): void => {
    effects.push({ type: 'send', frame });
  };
  const setRoom = (name: string, room: RelayRoom | undefined): void => {
    const rooms = new Map(s.rooms);
    if (room) rooms.set(name, room);
    else rooms.delete(name);
    s = { ...s, rooms };
  };
  const newId = (): string => {
    s = { ...s, nextId: s.nextId + 1 };
    return `r${s.nextId}`;
  };

  // --- tabs ---

  function attach(tab: string): void {
    s = { ...s, tabs: new Set(s.tabs).add(tab) };
    if (!s.linked) {
      s = { ...s, linked: true };
      effects.push({ type: 'dial' });
    }
    if (s.welcome) tell(tab, s.welcome);
    if (s.degraded) tell(tab, s.degraded);
  }

  function leave(tab: string, broken: boolean): void {
    if (!s.tabs.has(tab)) return;
    s = {
      ...s,
      tabs: without(s.tabs, tab),
      owners: new Map([...s.owners].filter(([, owner]) => owner.tab !== tab)),
    };
    for (const name of s.rooms.keys()) dropFrom(name, tab);
    if (s.tabs.size > 0 && !broken) return;
    effects.push({ type: 'hangUp', code: broken ? 4000 : 1000 });
    lost(1006, '');
    if (!broken) s = { ...s, rooms: new Map() };
  }

  /** A tab hears a room no more. Without one that does, the hub need not tell. */
  function dropFrom(name: string, tab: string): void {
    const room = s.rooms.get(name);
    if (!room || !(room.tabs.has(tab) || room.asks.has(tab))) return;
    const asks = new Map(room.asks);
    asks.delete(tab);
    const tabs = without(room.tabs, tab);
    if (tabs.size + asks.size > 0) {
      setRoom(name, { ...room, tabs, asks });
      return;
    }
    setRoom(name, undefined);
    if (s.authenticated) send({ v: 1, type: 'unsubscribe', id: newId(), payload: { room: name } });
  }

  function said(tab: string, frame: ClientFrame): void {
    if (!s.tabs.has(tab)) return;
    const { id } = frame;
    switch (frame.type) {
      case 'auth':
      case 'command': {
        // A command keeps its id: the server knows by it what it has done already.
        const asked = frame.type === 'auth' ? newId() : id;
        // The oldest has waited longest for an answer that will not come.
        const owners = [...s.owners].slice(-MAX_OWNERS);
        s = { ...s, owners: new Map(owners).set(asked, { tab, id }) };
        send({ ...frame, id: asked });
        return;
      }
      case 'subscribe': {
        const { room: name, since } = frame.payload;
        const known = s.rooms.get(name);
        const room = known ?? { state: NEW_ROOM, recent: [], tabs: new Set<string>(), asks: new Map<string, TabAsk>() };
        setRoom(name, {
          ...room,
          tabs: without(room.tabs, tab),
          asks: new Map(room.asks).set(tab, { id, since }),
        });
        if (room.state.phase === 'live') answer(name);
        else if (room.state.phase === 'idle') ask(name);
        return;
      }
      case 'unsubscribe':
        dropFrom(frame.payload.room, tab);
        tell(tab, { type: 'ack', event: 'unsubscribe', re: id, payload: frame.payload });
        return;
      case 'pong':
    }
  }

  /** Answers the tabs that wait for a room. */
  function answer(name: string): void {
    const room = s.rooms.get(name);
    const position = room?.state.position;
    if (!room || !position) return;
    for (const [tab, { id, since }] of room.asks) {
      const missed =
        since && since.epoch === position.epoch ? missedOf(room.recent, since.seq, position.seq) : undefined;
      const { snapshot } = room.state;
      const payload = { room: name, ...position, recovered: missed !== undefined, ...(!missed && { snapshot }) };
      tell(tab, { type: 'ack', event: 'subscribe', re: id, payload });
      for (const event of missed ?? []) tell(tab, event);
    }
    setRoom(name, { ...room, asks: new Map(), tabs: new Set([...room.tabs, ...room.asks.keys()]) });
  }

  // --- the hub ---

  function ask(name: string): void {
    const room = s.rooms.get(name);
    if (!room || !s.authenticated) return;
    const id = newId();
    const { position: since } = room.state;
    setRoom(name, { ...room, state: { ...room.state, phase: 'behind', ask: { id, by: NEVER } } });
    send({ v: 1, type: 'subscribe', id, payload: { room: name, since } });
  }

  function authenticated(): void {
    if (s.authenticated) return;
    s = { ...s, authenticated: true };
    for (const [name, { tabs, asks }] of s.rooms) if (tabs.size + asks.size > 0) ask(name);
  }

  function heard(frame: Envelope): void {
    const { event, type, re, room: name } = frame;
    const payload = fieldsOf(frame.payload);
    if (type !== 'event') {
      reply(frame, textOf(re));
    } else if (!event.startsWith('sys.')) {
      change(textOf(name), frame, receive);
    } else if (event === 'sys.snapshot') {
      change(textOf(payload.room), frame, restore);
    } else if (event === 'sys.unsubscribed') {
      refuseRoom(textOf(payload.room), frame);
    } else {
      if (event === 'sys.welcome') s = { ...s, welcome: frame };
      if (event === 'sys.degraded') s = { ...s, degraded: frame };
      if (event === 'sys.ping') {
        const seqs = [...s.rooms].flatMap(([room, { state }]) => (state.position ? [[room, state.position.seq]] : []));
        send({ v: 1, type: 'pong', id: newId(), payload: { seqs: Object.fromEntries(seqs) } });
      }
      for (const tab of s.tabs) tell(tab, frame);
      if (event === 'sys.welcome' && payload.authTimeoutMs === 0) authenticated();
    }
  }

  /** Takes the answer to a frame of a tab's, or to one of the relay's own. */
  function reply(frame: Envelope, re: string): void {
    const owner = s.owners.get(re);
    if (owner) {
      const owners = new Map(s.owners);
      owners.delete(re);
      s = { ...s, owners };
      tell(owner.tab, { ...frame, re: owner.id });
      if (frame.type === 'ack' && frame.event === 'auth') authenticated();
      return;
    }
    const [name] = [...s.rooms].find(([, { state }]) => state.ask?.id === re) ?? [];
    if (name === undefined) return;
    if (frame.type === 'ack') change(name, frame, restore);
    else refuseRoom(name, frame);
  }

  /** The hub does not tell of a room, or not any more. */
  function refuseRoom(name: string, { payload }: Envelope): void {
    const room = s.rooms.get(name);
    if (!room) return;
    setRoom(name, undefined);
    const { code } = fieldsOf(payload);
    for (const [tab, { id }] of room.asks) tell(tab, { type: 'error', event: 'subscribe', re: id, payload });
    for (const tab of room.tabs) tell(tab, { event: 'sys.unsubscribed', payload: { room: name, code } });
  }

  function change(name: string, frame: Envelope, take: (room: RoomState, frame: Envelope) => RoomChange): void {
    const room = s.rooms.get(name);
    if (!room) return;
    const { room: state, deliver = [], behind } = take(room.state, frame);
    let { recent } = room;
    for (const each of deliver) {
      const isState = each.event === 'sys.snapshot';
      if (isState) recent = [];
      else if (each.seq !== undefined) recent = [...recent, each].slice(-MAX_RECENT);
      const told = isState ? { ...each, payload: { room: name, ...state.position, snapshot: state.snapshot } } : each;
      for (const tab of room.tabs) tell(tab, told);
    }
    setRoom(name, { ...room, state, recent });
    if (behind && !(state.ask && state.position)) ask(name);
    else if (state.phase === 'live') answer(name);
  }

  function lost(code: number, reason: string): void {
    for (const tab of s.tabs) effects.push({ type: 'end', tab, code, reason });
    // What somebody wanted is kept, for when they come back; what was kept for nobody goes.
    const wanted = [...s.rooms].filter(([, { tabs, asks }]) => tabs.size + asks.size > 0);
    const kept = wanted.map(([name, { state, recent }]): [string, RelayRoom] => [
      name,
      { state: detach(state), recent, tabs: new Set(), asks: new Map() },
    ]);
    s = { ...NO_TABS, nextId: s.nextId, rooms: new Map(kept) };
  }

  switch (input.type) {
    case 'attach':
      attach(input.tab);
      break;
    case 'leave':
      leave(input.tab, input.broken);
      break;
    case 'said':
      said(input.tab, input.frame);
      break;
    case 'heard':
      if (s.linked) heard(input.frame);
      break;
    case 'lost':
      if (s.linked) lost(input.code, input.reason);
  }
  return { state: s, effects };
}

/** The events between two places in a log; `undefined` when one of them is not there any more. */
function missedOf(recent: readonly Envelope[], from: number, to: number): readonly Envelope[] | undefined {
  if (from > to) return undefined;
  const missed = recent.filter(({ seq = 0 }) => seq > from && seq <= to);
  return missed.length === to - from ? missed : undefined;
}

function without<T>(set: ReadonlySet<T>, item: T): ReadonlySet<T> {
  const rest = new Set(set);
  rest.delete(item);
  return rest;
}
