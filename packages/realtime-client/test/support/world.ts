/**
 * A client's reducer, a hub and a network between them, in one thread and in virtual time. The network loses,
 * doubles and reorders events, falls silent or breaks; the hub restarts. Frames that set a room's state (acks,
 * `sys.*`) are lost too, but nothing overtakes them: a WebSocket keeps its order, so what is modelled beyond that
 * is a hub that misbehaves within one epoch.
 */
import type { Envelope, Position } from '@guildkit/core/wire';
import { createStep, deadline, INITIAL } from '../../src/protocol/connection.js';
import type { ConnectionEffect, ConnectionInput, ConnectionState } from '../../src/protocol/connection-state.js';
import { type HubConnection, type HubOptions, ScriptedHub } from './scripted-hub.js';

/** What is under test: the reducer or a mutant of it. */
export interface Machine {
  readonly step: ReturnType<typeof createStep>;
  readonly deadline: typeof deadline;
}

export const SETTINGS = {
  hasToken: true,
  timeoutMs: 10_000,
};

export const machine = (): Machine => ({ step: createStep(SETTINGS), deadline });

/** Who moves next, and how. */
export type Move =
  | { readonly do: 'join' | 'leave'; readonly channel: string; readonly user: string }
  | { readonly do: 'deliver' | 'late' | 'drop' | 'double' | 'swap' | 'send' | 'sendAll' | 'garbage' | 'badPayload' }
  | { readonly do: 'cut' | 'silence' | 'restart' | 'drain' | 'down' | 'up' | 'revokeToken' }
  | { readonly do: 'offline' | 'online' | 'visible' | 'reconnect' | 'wantB' | 'releaseB' }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'sleep'; readonly ms: number };

const ROOM_A = 'channel:1';
const ROOM_B = 'channel:2';
const HEARTBEAT_MS = 15_000;

interface Link {
  readonly gen: number;
  readonly hubEnd: HubConnection;
  readonly down: unknown[];
  readonly up: string[];
  /** Half open: nothing passes, nobody is told. */
  silent: boolean;
}

export class World {
  state: ConnectionState = INITIAL;
  now = 0;
  readonly hub: ScriptedHub;
  /** The first rule that broke. */
  violation: string | undefined;
  private link: Link | undefined;
  private lateLinks: Link[] = [];
  private pingAt = HEARTBEAT_MS;
  private readonly told = new Map<string, Position>();
  private rng = 0.37;

  constructor(
    private readonly machine: Machine,
    hubOptions: HubOptions = {},
  ) {
    this.hub = new ScriptedHub({ logLength: 6, ...hubOptions });
    this.dispatch({ type: 'want', room: ROOM_A });
    this.dispatch({ type: 'want', room: ROOM_B });
    this.dispatch({ type: 'connect' });
  }

  dispatch(input: ConnectionInput | { readonly type: 'timer' }): void {
    const inbox = [input];
    for (let next = inbox.shift(); next !== undefined; next = inbox.shift()) {
      this.rng = (this.rng * 7.13 + 0.31) % 1;
      const { state, effects } = this.machine.step(this.state, { ...next, now: this.now, random: this.rng });
      this.state = state;
      for (const effect of effects) {
        const reaction = this.run(effect);
        if (reaction !== undefined) inbox.push(reaction);
      }
    }
  }

  play(move: Move): void {
    const { link, hub } = this;
    switch (move.do) {
      case 'join':
        hub.join(move.channel, move.user);
        return;
      case 'leave':
        hub.leave(move.channel, move.user);
        return;
      case 'deliver':
        this.deliver();
        return;
      case 'late':
        this.late();
        return;
      case 'drop':
        link?.down.shift();
        return;
      case 'double':
        if (link !== undefined && isRoomEvent(link.down[0])) link.down.unshift(link.down[0]);
        return;
      case 'swap': {
        const [a, b, ...rest] = link?.down ?? [];
        if (link !== undefined && isRoomEvent(a) && isRoomEvent(b))
          link.down.splice(0, link.down.length, b, a, ...rest);
        return;
      }
      case 'send':
        this.sendUp();
        return;
      case 'sendAll':
        while ((link?.up.length ?? 0) > 0) this.sendUp();
        return;
      case 'garbage':
        link?.down.unshift('{"v":1,');
        return;
      case 'badPayload': {
        const index = link?.down.findIndex(isRoomEvent) ?? -1;
        if (link === undefined || index < 0) return;
        link.down[index] = JSON.stringify({ ...(JSON.parse(String(link.down[index])) as object), payload: null });
        return;
      }
      case 'cut':
        this.breakLink(1006);
        return;
      case 'drain':
        this.breakLink(4503);
        return;
      case 'silence':
        if (link !== undefined) link.silent = true;
        return;
      case 'restart':
        hub.restart();
        this.breakLink(1006);
        return;
      case 'down':
        hub.down = true;
        this.breakLink(1006);
        return;
      case 'up':
        hub.down = false;
        return;
      case 'revokeToken':
        this.breakLink(4401);
        return;
      case 'wantB':
        this.dispatch({ type: 'want', room: ROOM_B });
        return;
      case 'releaseB':
        this.dispatch({ type: 'release', room: ROOM_B });
        return;
      case 'offline':
      case 'online':
      case 'visible':
      case 'reconnect':
        this.dispatch({ type: move.do });
        return;
      case 'wait':
        this.wait(move.ms);
        return;
      case 'sleep':
        // No timer fires meanwhile; the overdue one fires late.
        this.now += move.ms;
        this.wait(0);
        return;
    }
  }

  /** The network is well, the hub is up, the user is there; then everything has to come right. */
  heal(): void {
    this.hub.down = false;
    // No more help than a page gives: a client that is merely stuck has to notice by itself.
    if (this.state.offline) this.dispatch({ type: 'online' });
    this.dispatch({ type: 'want', room: ROOM_B });
    this.runFor(120_000);
    if (this.state.phase === 'manual' || this.state.phase === 'closed') this.dispatch({ type: 'reconnect' });
    this.runFor(60_000);
    while (this.lateLinks.length > 0) this.late();
    this.runFor(60_000);
    // A last event that got lost leaves no hole: the next one shows it.
    this.hub.join('1', 'last');
    this.hub.join('2', 'last');
    this.runFor(60_000);
  }

  /** What is wrong at the end; `undefined` when client and hub agree. */
  verdict(): string | undefined {
    if (this.violation !== undefined) return this.violation;
    if (this.state.phase !== 'open') return `not open: ${this.state.phase}`;
    for (const name of [ROOM_A, ROOM_B]) {
      const here = this.state.rooms.get(name);
      const there = this.hub.room(name);
      if (here?.phase !== 'live') return `${name} is ${here?.phase}`;
      if (here.position?.epoch !== there.epoch || here.position.seq !== there.seq) return `${name} is elsewhere`;
      if (JSON.stringify(here.snapshot) !== JSON.stringify(there.snapshot)) return `${name} shows another state`;
      if (Object.keys(here.early).length > 0) return `${name} keeps early events`;
    }
    return undefined;
  }

  private runFor(ms: number): void {
    const until = this.now + ms;
    while (this.now < until && this.violation === undefined) {
      this.flush();
      this.wait(Math.min(250, until - this.now));
    }
    this.flush();
  }

  private flush(): void {
    const link = this.link;
    for (let turns = 0; turns < 200 && link !== undefined && !link.silent && this.link === link; turns += 1) {
      if (link.up.length > 0) this.sendUp();
      else if (link.down.length > 0) this.deliver();
      else return;
    }
  }

  private wait(ms: number): void {
    const until = this.now + ms;
    for (let turns = 0; turns < 1_000; turns += 1) {
      const at = this.machine.deadline(this.state);
      const next = Math.min(at ?? Number.POSITIVE_INFINITY, this.pingAt);
      if (next > until) break;
      this.now = Math.max(this.now, next);
      if (next === this.pingAt) {
        this.pingAt += HEARTBEAT_MS;
        for (const connection of this.hub.connections) connection.send({ event: 'sys.ping' });
      } else this.dispatch({ type: 'timer' });
    }
    this.now = Math.max(this.now, until);
  }

  private run(effect: ConnectionEffect): ConnectionInput | undefined {
    switch (effect.type) {
      case 'dial': {
        const down: unknown[] = [];
        let refused = false;
        const hubEnd = this.hub.accept(
          (data) => this.push(down, data),
          (code) => {
            refused = true;
            down.push({ code });
          },
        );
        this.link = { gen: effect.gen, hubEnd, down, up: [], silent: false };
        return refused ? { type: 'lost', gen: effect.gen, code: 1006, reason: '' } : undefined;
      }
      case 'hangUp':
        if (this.link !== undefined) {
          this.link.hubEnd.gone();
          this.lateLinks.push(this.link);
          this.link = undefined;
        }
        return undefined;
      case 'fetchToken':
        return { type: 'token', gen: effect.gen, ok: true };
      case 'send': {
        const { frame } = effect;
        this.link?.up.push(JSON.stringify(frame.type === 'auth' ? { ...frame, payload: { token: 'good' } } : frame));
        return undefined;
      }
      case 'deliver':
        this.checkDelivery(effect.room, effect.frame);
        return undefined;
      case 'report':
        return undefined;
    }
  }

  private push(queue: unknown[], data: unknown): void {
    if (this.link?.down === queue && this.link.silent) return;
    queue.push(data);
  }

  /** In order, each once, nothing left out: unless a snapshot says so. */
  private checkDelivery(room: string, frame: Envelope): void {
    const before = this.told.get(room);
    if (frame.event === 'sys.snapshot') {
      const { epoch, seq } = frame.payload as Position;
      if (before?.epoch === epoch && seq < before.seq) this.violation ??= `${room} went back to ${seq}`;
      this.told.set(room, { epoch, seq });
      return;
    }
    const [epoch = ''] = (frame.id ?? '').split('-');
    const seq = frame.seq ?? -1;
    if (before === undefined) this.violation ??= `${room} told an event before its state`;
    else if (before.epoch !== epoch) this.violation ??= `${room} mixed epochs`;
    else if (seq !== before.seq + 1) this.violation ??= `${room} told ${seq} after ${before.seq}`;
    this.told.set(room, { epoch, seq });
  }

  private sendUp(): void {
    const link = this.link;
    const text = link?.up.shift();
    if (link === undefined || text === undefined || link.silent || !link.hubEnd.open) return;
    link.hubEnd.take(text);
  }

  private deliver(): void {
    const link = this.link;
    if (link !== undefined && !link.silent) this.hand(link);
  }

  /** What an old socket still had to say. */
  private late(): void {
    this.lateLinks = this.lateLinks.filter(({ down }) => down.length > 0);
    const [late] = this.lateLinks;
    if (late !== undefined) this.hand(late);
  }

  private hand(link: Link): void {
    const data = link.down.shift();
    if (data === undefined) return;
    const { gen } = link;
    if (typeof data !== 'string') {
      if (this.link === link) this.link = undefined;
      this.dispatch({ type: 'lost', gen, code: (data as { code: number }).code, reason: '' });
      return;
    }
    let frame: Envelope;
    try {
      frame = JSON.parse(data) as Envelope;
    } catch {
      this.dispatch({ type: 'frame', gen, frame: undefined });
      return;
    }
    this.dispatch({ type: 'frame', gen, frame });
  }

  private breakLink(code: number): void {
    const link = this.link;
    if (link === undefined) return;
    this.link = undefined;
    link.hubEnd.gone();
    if (link.silent) {
      // Nobody is told; the hub has noticed alone.
      this.link = link;
      return;
    }
    this.lateLinks.push(link);
    this.dispatch({ type: 'lost', gen: link.gen, code, reason: '' });
  }
}

function isRoomEvent(data: unknown): boolean {
  return typeof data === 'string' && data.includes('"event":"voice.');
}
