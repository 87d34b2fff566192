/**
 * Owns the gateway's sockets and running sessions: carries out what the session machine decides. Refuses to decide
 * anything itself, and to know what the dispatches mean.
 */
import type { Duplex } from 'node:stream';
import { type Clock, createDriver, type Driver } from '@guildkit/core';
import type { WebSocket } from 'ws';
import type { Compression } from '../codec/compression.js';
import { address, toDispatch } from '../protocol/gateway/audience.js';
import { CLOSE_CODES } from '../protocol/gateway/close-codes.js';
import {
  type ClientFrame,
  type ClientRequest,
  MAX_CLIENT_FRAME_BYTES,
  type PresenceClaim,
  parseClientFrame,
} from '../protocol/gateway/frames.js';
import { ReplayLog } from '../protocol/gateway/replay-log.js';
import {
  createSessionReducer,
  type DispatchEvent,
  freshConnection,
  type Grant,
  type Session,
  type SessionEffect,
  type SessionInput,
  type SessionRules,
  type SessionState,
} from '../protocol/gateway/session.js';
import type { WorldEvent } from '../protocol/world/events.js';
import type { TrafficLog } from '../traffic.js';
import { GatewayPort, OutgoingFrame, type PortFault } from './gateway-port.js';

/** What the hub asks of the rest of the sandbox. */
export interface GatewayHubOptions {
  readonly clock: Clock;
  readonly rules: SessionRules;
  readonly traffic: TrafficLog;
  /** What a token is good for, for a shard. */
  grant(token: string, shardId: number): Grant | undefined;
  newSessionId(): string;
  /** A session begins: what that changed, for others. */
  onSessionStart(session: Session, presence: PresenceClaim | undefined): readonly WorldEvent[];
  /** What a new session gets first: READY, then its guilds. */
  welcome(session: Session, version: number): readonly WorldEvent[];
  /** Carries out a request and tells what it changed. */
  request(session: Session, request: ClientRequest): readonly WorldEvent[];
  /** What follows from a dispatch. */
  follow(event: WorldEvent): readonly WorldEvent[];
  /** A session is over: what that changed. `isLast`: its bot has no other. */
  onSessionEnd(session: Session, isLast: boolean): readonly WorldEvent[];
  /** A bot has used up its IDENTIFYs. */
  onExhausted(botId: string): void;
}

/** How a client connected. */
export interface GatewayQuery {
  readonly version: number;
  readonly compression: Compression;
}

/** A fault of sessions: an input of their machine. */
export type SessionFault = Extract<SessionInput, { type: 'reconnect' | 'invalidate' | 'askHeartbeat' | 'cut' }>;

/** Which connections a fault concerns; all when nothing is named. */
export interface FaultTarget {
  /** Sessions of this shard; a session without a shard counts as shard 0. */
  readonly shardId?: number | undefined;
  /** Sessions of this bot. */
  readonly botId?: string | undefined;
}

/** An answer that can be withheld: what the client then waits for in vain. */
export type WithheldAnswer = 'HELLO' | 'READY' | 'RESUMED';

interface Actor {
  readonly driver: Driver<SessionState, SessionInput>;
  readonly log: ReplayLog;
}

interface Connection {
  readonly port: GatewayPort;
  readonly version: number;
  owner: Actor;
}

/** Sessions that wait for RESUME; beyond that the oldest goes, so that a client that only identifies fills nothing. */
const MAX_SESSIONS = 2_000;

/** The gateway's running side. */
export class GatewayHub {
  private readonly reducer: ReturnType<typeof createSessionReducer>;
  private readonly connections = new Map<number, Connection>();
  private readonly sessions = new Map<string, Actor>();
  private readonly actors = new Set<Actor>();
  private sockets = 0;
  private acks = true;
  private delayMs = 0;
  /** The dispatch that is being handed out, and to how many sessions it went. */
  private batch: { readonly event: string; sent: number } | undefined;
  /** Frames of the last dispatch, by number. */
  private frames: { readonly json: string; readonly bySeq: Map<number, OutgoingFrame> } = {
    json: '',
    bySeq: new Map(),
  };
  private readonly withheld = new Set<WithheldAnswer>();

  constructor(private readonly options: GatewayHubOptions) {
    this.reducer = createSessionReducer(options.rules);
  }

  /** Takes over an open WebSocket and the TCP connection below it. */
  accept(ws: WebSocket, query: GatewayQuery, tcp?: Duplex): void {
    this.sockets += 1;
    const socket = this.sockets;
    const { traffic, clock } = this.options;
    const port = new GatewayPort({ ws, tcp, compression: query.compression, clock });
    port.inject({ type: 'delay', ms: this.delayMs });
    const owner = this.createActor(socket);
    const connection: Connection = { port, version: query.version, owner };
    this.connections.set(socket, connection);
    traffic.counters.gatewayConnections += 1;
    traffic.counters.gatewayOpen += 1;
    traffic.add('gateway', 'in', 'connect', { socket });
    ws.on('message', (data, isBinary) => this.onMessage(socket, connection, data as Buffer, isBinary));
    // `ws` closes by itself after an error; what is to be done is done on close.
    ws.on('error', () => {
      traffic.counters.badFrames += 1;
    });
    ws.on('close', (code) => {
      traffic.counters.gatewayOpen -= 1;
      traffic.add('gateway', 'in', `closed ${code}`, { socket });
      this.connections.delete(socket);
      port.dispose();
      connection.owner.driver.dispatch({ type: 'closed', socket, code });
    });
    owner.driver.dispatch({ type: 'opened', version: query.version });
  }

  /** Hands dispatches to every session that may see them. */
  broadcast(events: readonly WorldEvent[]): void {
    for (const event of events) {
      this.handOut(event);
      for (const next of this.options.follow(event)) this.handOut(next);
    }
  }

  /** Does something to connections and their sessions. */
  fault(fault: SessionFault, target: FaultTarget = {}): void {
    for (const actor of [...this.actors]) if (isMeant(actor, target)) actor.driver.dispatch(fault);
  }

  /** Does something to what connections send. */
  faultPorts(fault: PortFault, target: FaultTarget = {}): void {
    for (const { port, owner } of this.connections.values()) if (isMeant(owner, target)) port.inject(fault);
  }

  /** Delays dispatches on every connection, also on those to come. */
  delay(ms: number): void {
    this.delayMs = ms;
    this.faultPorts({ type: 'delay', ms });
  }

  /** Gives an answer no longer, or gives it again. */
  withhold(what: WithheldAnswer, withheld: boolean): void {
    if (withheld) this.withheld.add(what);
    else this.withheld.delete(what);
  }

  /** Ends every session that waits for RESUME. */
  expireDetached(): void {
    for (const actor of [...this.actors]) actor.driver.dispatch({ type: 'expire' });
  }

  /** Sends bytes as they are. */
  sendRaw(data: string | Buffer, target: FaultTarget = {}): void {
    for (const { port, owner } of this.connections.values()) if (isMeant(owner, target)) port.sendRaw(data);
  }

  /** Whether heartbeats are answered. */
  answerHeartbeats(answered: boolean): void {
    this.acks = answered;
  }

  /** Sessions that live or can be resumed. */
  get sessionCount(): number {
    return this.sessions.size;
  }

  /** Ends everything at once, without a word. */
  close(): void {
    for (const actor of this.actors) actor.driver.stop();
    this.actors.clear();
    this.sessions.clear();
    for (const { port } of this.connections.values()) port.terminate();
  }

  private createActor(socket: number): Actor {
    const actor: Actor = {
      log: new ReplayLog(this.options.rules.replayLimit),
      driver: createDriver<SessionState, SessionInput, SessionEffect>({
        reducer: this.reducer,
        initial: freshConnection(socket),
        clock: this.options.clock,
        run: (effect) => this.run(actor, effect),
        onEffectError: () => {
          this.options.traffic.counters.internalErrors += 1;
        },
        onTransition: (_from, to) => {
          if (to.phase !== 'ended') return;
          this.actors.delete(actor);
          actor.driver.stop();
        },
      }),
    };
    this.actors.add(actor);
    return actor;
  }

  private onMessage(socket: number, connection: Connection, data: Buffer, isBinary: boolean): void {
    const { counters } = this.options.traffic;
    const frame = parseMessage(data);
    if (frame.kind === 'invalid') counters.badFrames += 1;
    if (frame.kind === 'heartbeat') counters.heartbeats += 1;
    else this.options.traffic.add('gateway', 'in', nameOf(frame), { socket, binary: isBinary });
    const input: SessionInput = { type: 'frame', socket, frame };
    const { driver } = connection.owner;
    if (frame.kind === 'identify') {
      counters.identifies += 1;
      if (this.withheld.has('READY')) return;
      connection.port.compressPayloads = frame.compress;
      const shardId = Array.isArray(frame.shard) ? (frame.shard[0] ?? 0) : 0;
      const grant = this.options.grant(frame.token.reveal(), shardId);
      driver.dispatch({ ...input, grant, newId: this.options.newSessionId() });
    } else if (frame.kind === 'resume') {
      counters.resumes += 1;
      if (this.withheld.has('RESUMED')) return;
      driver.dispatch({ ...input, grant: this.options.grant(frame.token.reveal(), 0) });
    } else driver.dispatch(input);
  }

  private run(actor: Actor, effect: SessionEffect): void {
    switch (effect.type) {
      case 'send':
        if (effect.frame.op === 11 && !this.acks) return;
        if (effect.frame.op === 10 && this.withheld.has('HELLO')) return;
        this.connections.get(effect.socket)?.port.send(controlText(effect.frame));
        return;
      case 'deliver':
        this.deliver(actor, effect.seq, effect.event, effect.socket);
        return;
      case 'replay':
        for (const { seq, name, json } of actor.log.between(effect.after, effect.through)) {
          this.sendDispatch(effect.socket, seq, { name, json });
        }
        return;
      case 'close':
        this.options.traffic.add('gateway', 'out', `close ${effect.code}`, { socket: effect.socket });
        this.connections.get(effect.socket)?.port.close(effect.code, effect.reason);
        return;
      case 'destroy':
        this.connections.get(effect.socket)?.port.terminate();
        return;
      case 'start':
        this.start(actor, effect.session, effect.presence);
        return;
      case 'find': {
        const owner = this.sessions.get(effect.claim.sessionId);
        if (owner === undefined) this.refuse(actor, 'unknown');
        else owner.driver.dispatch({ type: 'adopt', link: effect.link, claim: effect.claim, oldest: owner.log.oldest });
        return;
      }
      case 'take': {
        const connection = this.connections.get(effect.socket);
        if (connection === undefined) return;
        const former = connection.owner;
        connection.owner = actor;
        former.driver.dispatch({ type: 'handedOver' });
        return;
      }
      case 'refuse': {
        const connection = this.connections.get(effect.socket);
        if (connection !== undefined) this.refuse(connection.owner, effect.reason);
        return;
      }
      case 'request':
        this.broadcast(this.options.request(effect.session, effect.request));
        return;
      case 'exhausted':
        this.options.onExhausted(effect.botId);
        this.fault({ type: 'cut', close: { code: 4004, reason: CLOSE_CODES[4004].reason } }, { botId: effect.botId });
        return;
      case 'forget': {
        const { id, botId } = effect.session;
        this.sessions.delete(id);
        const isLast = ![...this.sessions.values()].some((other) => sessionOf(other)?.botId === botId);
        this.broadcast(this.options.onSessionEnd(effect.session, isLast));
        return;
      }
    }
  }

  private start(actor: Actor, session: Session, presence: PresenceClaim | undefined): void {
    this.broadcast(this.options.onSessionStart(session, presence));
    this.sessions.set(session.id, actor);
    const version = this.connectionOf(actor)?.version ?? 10;
    for (const event of this.options.welcome(session, version)) actor.driver.dispatch(toDispatch(event));
    if (this.sessions.size > MAX_SESSIONS) {
      const waiting = [...this.sessions.values()].find((other) => other.driver.state.phase === 'detached');
      waiting?.driver.dispatch({ type: 'expire' });
    }
  }

  private handOut(event: WorldEvent): void {
    if (event.sessionId !== undefined) {
      this.sessions.get(event.sessionId)?.driver.dispatch(toDispatch(event));
      return;
    }
    const inputFor = address(event);
    const batch = { event: event.name as string, sent: 0 };
    this.batch = batch;
    for (const actor of this.sessions.values()) {
      const session = sessionOf(actor);
      const input = session === undefined ? undefined : inputFor(session);
      if (input !== undefined) actor.driver.dispatch(input);
    }
    this.batch = undefined;
    // One line however many sessions got it: the log is bounded.
    if (batch.sent > 0) this.options.traffic.add('gateway', 'out', event.name, { sessions: batch.sent });
  }

  private refuse(actor: Actor, reason: 'unknown' | 'invalidSeq'): void {
    this.options.traffic.counters.resumesRefused += 1;
    actor.driver.dispatch({ type: 'refused', reason });
  }

  private deliver(actor: Actor, seq: number, event: DispatchEvent, socket: number | undefined): void {
    actor.log.push({ seq, name: event.name, json: event.json });
    if (socket !== undefined) this.sendDispatch(socket, seq, event);
  }

  private sendDispatch(socket: number, seq: number, event: DispatchEvent): void {
    const { traffic } = this.options;
    traffic.counters.dispatches += 1;
    if (this.batch?.event === event.name) this.batch.sent += 1;
    else traffic.add('gateway', 'out', event.name, { socket, seq });
    this.connections.get(socket)?.port.sendDispatch(this.frameOf(seq, event));
  }

  /** Sessions of one age share the number of a dispatch, and so its bytes. */
  private frameOf(seq: number, { name, json }: DispatchEvent): OutgoingFrame {
    if (this.frames.json !== json) this.frames = { json, bySeq: new Map() };
    const known = this.frames.bySeq.get(seq);
    if (known !== undefined) return known;
    const frame = new OutgoingFrame(`{"t":"${name}","s":${seq},"op":0,"d":${json}}`);
    this.frames.bySeq.set(seq, frame);
    return frame;
  }

  private connectionOf(actor: Actor): Connection | undefined {
    const { state } = actor.driver;
    return state.phase === 'live' ? this.connections.get(state.link.socket) : undefined;
  }
}

function parseMessage(data: Buffer): ClientFrame {
  if (data.byteLength > MAX_CLIENT_FRAME_BYTES) {
    return { kind: 'invalid', code: 4002, why: `${data.byteLength} bytes` };
  }
  return parseClientFrame(data.toString('utf8'));
}

/** A frame's name for the log: never its token. */
function nameOf(frame: ClientFrame): string {
  if (frame.kind === 'request') return frame.request.kind;
  return frame.kind === 'invalid' ? `invalid (${frame.why})` : frame.kind.toUpperCase();
}

const controlText = (frame: { readonly op: number; readonly d?: unknown }): string =>
  JSON.stringify({ t: null, s: null, op: frame.op, d: frame.d ?? null });

const sessionOf = ({ driver }: Actor): Session | undefined =>
  'session' in driver.state ? driver.state.session : undefined;

function isMeant(actor: Actor, { shardId, botId }: FaultTarget): boolean {
  const session = sessionOf(actor);
  if (botId !== undefined && session?.botId !== botId) return false;
  return shardId === undefined || (session?.shard?.[0] ?? 0) === shardId;
}
