/**
 * Owns the gateway's sockets and running sessions: carries out what the session machine decides. Refuses to decide
 * anything itself, and to know what the dispatches mean.
 */
import { type Clock, createDriver, type Driver } from '@guildkit/core';
import { WebSocket } from 'ws';
import { createZlibStream } from '../codec/zlib-stream.js';
import {
  type ClientFrame,
  type ClientRequest,
  MAX_CLIENT_FRAME_BYTES,
  parseClientFrame,
} from '../protocol/gateway/frames.js';
import { intentsFor } from '../protocol/gateway/intents.js';
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
import { shardOf } from '../protocol/snowflake.js';
import type { WorldEvent } from '../protocol/world/events.js';
import type { TrafficLog } from '../traffic.js';

/** What the hub asks of the rest of the sandbox. */
export interface GatewayHubOptions {
  readonly clock: Clock;
  readonly rules: SessionRules;
  readonly traffic: TrafficLog;
  /** What a token is good for. */
  grant(token: string): Grant | undefined;
  newSessionId(): string;
  /** What a new session gets first: READY, then its guilds. */
  welcome(session: Session, version: number): readonly WorldEvent[];
  /** Carries out a request and tells what it changed. */
  request(session: Session, request: ClientRequest): readonly WorldEvent[];
  /** A session is over: what that changed. */
  onSessionEnd(session: Session): readonly WorldEvent[];
}

/** How a client connected. */
export interface GatewayQuery {
  readonly version: number;
  readonly compress: boolean;
}

/** What faults reach. */
export type GatewayFault = Extract<SessionInput, { type: 'reconnect' | 'invalidate' | 'askHeartbeat' | 'cut' }>;

interface Actor {
  readonly driver: Driver<SessionState, SessionInput>;
  readonly log: ReplayLog;
}

interface Port {
  readonly ws: WebSocket;
  readonly version: number;
  readonly encode: (text: string) => string | Buffer;
  owner: Actor;
}

/** A reader this far behind is cut: it would hold memory for as long as it likes. */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;
/** Sessions that wait for RESUME; beyond that the oldest goes, so that a client that only identifies fills nothing. */
const MAX_SESSIONS = 2_000;
/** How long a close frame may go unanswered before the TCP connection is destroyed. */
const CLOSE_TIMEOUT_MS = 2_000;

/** The gateway's running side. */
export class GatewayHub {
  private readonly reducer: ReturnType<typeof createSessionReducer>;
  private readonly ports = new Map<number, Port>();
  private readonly sessions = new Map<string, Actor>();
  private readonly actors = new Set<Actor>();
  private sockets = 0;
  private acks = true;
  private toDrop = 0;

  constructor(private readonly options: GatewayHubOptions) {
    this.reducer = createSessionReducer(options.rules);
  }

  /** Takes over an open WebSocket. */
  accept(ws: WebSocket, query: GatewayQuery): void {
    this.sockets += 1;
    const socket = this.sockets;
    const { traffic } = this.options;
    const owner = this.createActor(socket);
    const port: Port = {
      ws,
      version: query.version,
      encode: query.compress ? createZlibStream() : (text) => text,
      owner,
    };
    this.ports.set(socket, port);
    traffic.counters.gatewayConnections += 1;
    traffic.counters.gatewayOpen += 1;
    traffic.add('gateway', 'in', 'connect', { socket });
    ws.on('message', (data, isBinary) => this.onMessage(socket, port, data as Buffer, isBinary));
    // `ws` closes by itself after an error; what is to be done is done on close.
    ws.on('error', () => {
      traffic.counters.badFrames += 1;
    });
    ws.on('close', (code) => {
      traffic.counters.gatewayOpen -= 1;
      traffic.add('gateway', 'in', `closed ${code}`, { socket });
      this.ports.delete(socket);
      port.owner.driver.dispatch({ type: 'closed', socket, code });
    });
    owner.driver.dispatch({ type: 'opened', version: query.version });
  }

  /** Hands dispatches to every session that may see them. */
  broadcast(events: readonly WorldEvent[]): void {
    for (const event of events) {
      const input = toDispatch(event);
      if (event.sessionId !== undefined) {
        this.sessions.get(event.sessionId)?.driver.dispatch(input);
        continue;
      }
      for (const actor of this.sessions.values()) {
        const shard = sessionOf(actor)?.shard;
        if (shard === undefined || shardOf(event.guildId, shard[1]) === shard[0]) actor.driver.dispatch(input);
      }
    }
  }

  /** Does something to every connection and session, or to those of one shard. */
  fault(fault: GatewayFault, shardId?: number): void {
    for (const actor of [...this.actors]) {
      if (shardId !== undefined && (sessionOf(actor)?.shard?.[0] ?? 0) !== shardId) continue;
      actor.driver.dispatch(fault);
    }
  }

  /** Ends every session that waits for RESUME. */
  expireDetached(): void {
    for (const actor of [...this.actors]) actor.driver.dispatch({ type: 'expire' });
  }

  /** Sends bytes as they are to every open connection. */
  sendRaw(data: string | Buffer): void {
    for (const { ws } of this.ports.values()) if (ws.readyState === WebSocket.OPEN) ws.send(data);
  }

  /** Whether heartbeats are answered. */
  answerHeartbeats(answered: boolean): void {
    this.acks = answered;
  }

  /** Numbers and keeps the next dispatches without sending them. */
  dropDispatches(count: number): void {
    this.toDrop = count;
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
    for (const { ws } of this.ports.values()) ws.terminate();
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

  private onMessage(socket: number, port: Port, data: Buffer, isBinary: boolean): void {
    const { counters } = this.options.traffic;
    const frame = parseMessage(data);
    if (frame.kind === 'invalid') counters.badFrames += 1;
    if (frame.kind === 'heartbeat') counters.heartbeats += 1;
    else this.options.traffic.add('gateway', 'in', nameOf(frame), { socket, binary: isBinary });
    const input: SessionInput = { type: 'frame', socket, frame };
    if (frame.kind === 'identify') {
      counters.identifies += 1;
      port.owner.driver.dispatch({
        ...input,
        grant: this.options.grant(frame.token.reveal()),
        newId: this.options.newSessionId(),
      });
    } else if (frame.kind === 'resume') {
      counters.resumes += 1;
      port.owner.driver.dispatch({ ...input, grant: this.options.grant(frame.token.reveal()) });
    } else port.owner.driver.dispatch(input);
  }

  private run(actor: Actor, effect: SessionEffect): void {
    switch (effect.type) {
      case 'send':
        if (effect.frame.op === 11 && !this.acks) return;
        this.send(effect.socket, controlText(effect.frame));
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
        this.closePort(effect.socket, effect.code, effect.reason);
        return;
      case 'destroy':
        this.ports.get(effect.socket)?.ws.terminate();
        return;
      case 'start':
        this.start(actor, effect.session);
        return;
      case 'find': {
        const owner = this.sessions.get(effect.claim.sessionId);
        if (owner === undefined) this.refuse(actor, 'unknown');
        else owner.driver.dispatch({ type: 'adopt', link: effect.link, claim: effect.claim });
        return;
      }
      case 'take': {
        const port = this.ports.get(effect.socket);
        if (port === undefined) return;
        const former = port.owner;
        port.owner = actor;
        former.driver.dispatch({ type: 'handedOver' });
        return;
      }
      case 'refuse': {
        const port = this.ports.get(effect.socket);
        if (port !== undefined) this.refuse(port.owner, effect.reason);
        return;
      }
      case 'request':
        this.broadcast(this.options.request(effect.session, effect.request));
        return;
      case 'forget':
        this.sessions.delete(effect.session.id);
        this.broadcast(this.options.onSessionEnd(effect.session));
        return;
    }
  }

  private start(actor: Actor, session: Session): void {
    this.sessions.set(session.id, actor);
    const version = this.portOf(actor)?.version ?? 10;
    for (const event of this.options.welcome(session, version)) actor.driver.dispatch(toDispatch(event));
    if (this.sessions.size > MAX_SESSIONS) {
      const waiting = [...this.sessions.values()].find((other) => other.driver.state.phase === 'detached');
      waiting?.driver.dispatch({ type: 'expire' });
    }
  }

  private refuse(actor: Actor, reason: 'unknown' | 'invalidSeq'): void {
    this.options.traffic.counters.resumesRefused += 1;
    actor.driver.dispatch({ type: 'refused', reason });
  }

  private deliver(actor: Actor, seq: number, event: DispatchEvent, socket: number | undefined): void {
    actor.log.push({ seq, name: event.name, json: event.json });
    if (socket === undefined) return;
    if (this.toDrop > 0) {
      this.toDrop -= 1;
      return;
    }
    this.sendDispatch(socket, seq, event);
  }

  private sendDispatch(socket: number, seq: number, { name, json }: DispatchEvent): void {
    const { traffic } = this.options;
    traffic.counters.dispatches += 1;
    traffic.add('gateway', 'out', name, { socket, seq });
    this.send(socket, `{"t":"${name}","s":${seq},"op":0,"d":${json}}`);
  }

  private send(socket: number, text: string): void {
    const port = this.ports.get(socket);
    if (port === undefined || port.ws.readyState !== WebSocket.OPEN) return;
    if (port.ws.bufferedAmount > MAX_BUFFERED_BYTES) port.ws.terminate();
    else port.ws.send(port.encode(text), ignore);
  }

  private closePort(socket: number, code: number, reason: string): void {
    const port = this.ports.get(socket);
    if (port === undefined) return;
    this.options.traffic.add('gateway', 'out', `close ${code}`, { socket });
    const { clock } = this.options;
    const timer = clock.setTimer(() => port.ws.terminate(), CLOSE_TIMEOUT_MS);
    port.ws.once('close', () => clock.clearTimer(timer));
    port.ws.close(code, reason);
  }

  private portOf(actor: Actor): Port | undefined {
    const { state } = actor.driver;
    return state.phase === 'live' ? this.ports.get(state.link.socket) : undefined;
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

function toDispatch(event: WorldEvent): Extract<SessionInput, { type: 'dispatch' }> {
  const json = JSON.stringify(event.data ?? {});
  return { type: 'dispatch', event: { name: event.name, json }, needs: intentsFor(event.name) };
}

const controlText = (frame: { readonly op: number; readonly d?: unknown }): string =>
  JSON.stringify({ t: null, s: null, op: frame.op, d: frame.d ?? null });

const sessionOf = ({ driver }: Actor): Session | undefined =>
  'session' in driver.state ? driver.state.session : undefined;

const ignore = (): void => {};
