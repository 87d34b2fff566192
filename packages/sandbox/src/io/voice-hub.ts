/**
 * Owns the voice gateway's sockets and running sessions: carries out what the session machine decides. Refuses to decide
 * anything itself, and to know what is said in a channel.
 */
import { type Clock, createDriver, type Driver } from '@guildkit/core';
import type { WebSocket } from 'ws';
import type { VoiceCloseCodeNumber } from '../protocol/voice/close-codes.js';
import { parseVoiceBinary, parseVoiceText, type VoiceFrame, type VoiceRequest } from '../protocol/voice/frames.js';
import { MessageLog, wireSeq } from '../protocol/voice/message-log.js';
import { VoiceOp } from '../protocol/voice/opcodes.js';
import { createVoiceReducer, freshVoice } from '../protocol/voice/session.js';
import type {
  Admission,
  Description,
  VoiceEffect,
  VoiceInput,
  VoiceMessage,
  VoiceRules,
  VoiceSession,
  VoiceState,
} from '../protocol/voice/session-types.js';

/** What the hub asks of the rest of the sandbox. */
export interface VoiceHubOptions {
  readonly clock: Clock;
  readonly rules: VoiceRules;
  /** Judges an Identify, with the seat it gets, or a Resume, with what refuses it. */
  admit(frame: Extract<VoiceFrame, { kind: 'identify' | 'resume' }>): Admission | undefined;
  onStart(session: VoiceSession): void;
  /** Makes the cipher of a selection. */
  prepare(session: VoiceSession, mode: string): Promise<Description>;
  /** The session has its description for the first time. */
  onEnter(session: VoiceSession): void;
  onRequest(session: VoiceSession, request: VoiceRequest): void;
  /** Its connection is gone, or it has another one. */
  onConnection(session: VoiceSession, connected: boolean): void;
  onEnd(session: VoiceSession): void;
  /** For the log: what came and what went. */
  note(direction: 'in' | 'out', what: string, socket: number): void;
  count(what: VoiceHubCount): void;
}

/** How often things happened on the voice gateway since the sandbox began. */
export interface VoiceCounters {
  /** WebSockets that were opened. */
  readonly connections: number;
  /** WebSockets that were closed, by either side. */
  readonly disconnections: number;
  /** Identifies received, refused ones too. */
  readonly identifies: number;
  /** Resumes received, refused ones too. */
  readonly resumes: number;
  /** Resumes of what is over, or no longer kept. */
  readonly resumesRefused: number;
  /** Heartbeats received. */
  readonly heartbeats: number;
  /** Messages that did not parse. */
  readonly badFrames: number;
  /** Handlers that failed: always 0 unless the sandbox has a bug. */
  readonly internalErrors: number;
}

/** What the hub counts. */
export type VoiceHubCount = keyof VoiceCounters;

/** Which sessions a fault or an act concerns; all when nothing is named. */
export interface VoiceTarget {
  /** Sessions of this user. */
  readonly userId?: string | undefined;
  /** Sessions in this channel. */
  readonly channelId?: string | undefined;
}

/** An answer that can be withheld: what the client then waits for in vain. */
export type WithheldVoiceAnswer = 'HELLO' | 'READY' | 'SESSION_DESCRIPTION' | 'RESUMED';

interface Actor {
  readonly driver: Driver<VoiceState, VoiceInput>;
  readonly log: MessageLog;
}

interface Connection {
  readonly ws: WebSocket;
  owner: Actor;
}

const WITHHOLDABLE: Readonly<Record<number, WithheldVoiceAnswer>> = {
  [VoiceOp.Hello]: 'HELLO',
  [VoiceOp.Ready]: 'READY',
  [VoiceOp.SessionDescription]: 'SESSION_DESCRIPTION',
  [VoiceOp.Resumed]: 'RESUMED',
};

/** What may wait in a socket; whoever lets more pile up does not read. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;

/** A session's name in maps: a user has one in a guild. */
export const sessionKey = ({ guildId, userId }: Pick<VoiceSession, 'guildId' | 'userId'>): string =>
  `${guildId}:${userId}`;

/** The voice gateway's running side. */
export class VoiceHub {
  private readonly reducer: ReturnType<typeof createVoiceReducer>;
  private readonly connections = new Map<number, Connection>();
  private readonly sessions = new Map<string, Actor>();
  private readonly actors = new Set<Actor>();
  private readonly withheld = new Set<WithheldVoiceAnswer>();
  private sockets = 0;
  private acks = true;

  constructor(private readonly options: VoiceHubOptions) {
    this.reducer = createVoiceReducer(options.rules);
  }

  /** Takes over an open WebSocket. */
  accept(ws: WebSocket, version: number): void {
    this.sockets += 1;
    const socket = this.sockets;
    const owner = this.createActor(socket);
    const connection: Connection = { ws, owner };
    this.connections.set(socket, connection);
    this.options.count('connections');
    ws.on('message', (data, isBinary) => this.onMessage(socket, connection, data as Buffer, isBinary));
    // `ws` closes by itself after an error; what is to be done is done on close.
    ws.on('error', () => this.options.count('badFrames'));
    ws.on('close', () => {
      this.connections.delete(socket);
      this.options.count('disconnections');
      connection.owner.driver.dispatch({ type: 'closed', socket });
    });
    owner.driver.dispatch({ type: 'opened', version });
  }

  /** Tells a session something. `notice`: without a number. Nothing when there is no such session. */
  tell(key: string, message: VoiceMessage, notice = false): void {
    this.sessions.get(key)?.driver.dispatch({ type: notice ? 'notice' : 'message', message });
  }

  /** Ends a session, because its voice state is no more. */
  end(key: string, code: VoiceCloseCodeNumber): void {
    this.sessions.get(key)?.driver.dispatch({ type: 'end', code });
  }

  /** The session of that name, connected or not. */
  session(key: string): VoiceSession | undefined {
    const actor = this.sessions.get(key);
    return actor === undefined ? undefined : sessionOf(actor);
  }

  /** Every session, and whether it has a connection. */
  list(): readonly { readonly session: VoiceSession; readonly connected: boolean }[] {
    return [...this.sessions.values()].flatMap((actor) => {
      const session = sessionOf(actor);
      return session === undefined ? [] : [{ session, connected: actor.driver.state.phase === 'open' }];
    });
  }

  /** Cuts connections: with a close frame, or without a word. */
  cut(close: { readonly code: number; readonly reason: string } | undefined, target: VoiceTarget): void {
    for (const actor of [...this.actors]) if (isMeant(actor, target)) actor.driver.dispatch({ type: 'cut', close });
  }

  /** Ends every session that waits for Resume. */
  expireDetached(): void {
    for (const actor of [...this.actors]) actor.driver.dispatch({ type: 'expire' });
  }

  /** Sends bytes as they are. */
  sendRaw(data: string | Uint8Array, target: VoiceTarget): void {
    for (const { ws, owner } of this.connections.values()) if (isMeant(owner, target)) ws.send(data, ignore);
  }

  /** Whether heartbeats are answered. */
  answerHeartbeats(answered: boolean): void {
    this.acks = answered;
  }

  /** Gives an answer no longer, or gives it again. */
  withhold(what: WithheldVoiceAnswer, withheld: boolean): void {
    if (withheld) this.withheld.add(what);
    else this.withheld.delete(what);
  }

  /** Ends everything at once, without a word. */
  close(): void {
    for (const actor of this.actors) actor.driver.stop();
    this.actors.clear();
    this.sessions.clear();
    for (const { ws } of this.connections.values()) ws.terminate();
  }

  private createActor(socket: number): Actor {
    const actor: Actor = {
      log: new MessageLog(),
      driver: createDriver<VoiceState, VoiceInput, VoiceEffect>({
        reducer: this.reducer,
        initial: freshVoice(socket),
        clock: this.options.clock,
        run: (effect) => this.run(actor, effect),
        onEffectError: () => this.options.count('internalErrors'),
        onTransition: (from, to) => {
          if (from.phase === 'open' && to.phase === 'detached') this.options.onConnection(to.session, false);
          if (from.phase === 'detached' && to.phase === 'open') this.options.onConnection(to.session, true);
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
    const frame = isBinary ? parseVoiceBinary(data) : parseVoiceText(data.toString('utf8'));
    if (frame.kind === 'invalid') this.options.count('badFrames');
    if (frame.kind === 'heartbeat') this.options.count('heartbeats');
    else this.options.note('in', nameOf(frame), socket);
    let admission: Admission | undefined;
    if (frame.kind === 'identify' || frame.kind === 'resume') {
      this.options.count(frame.kind === 'identify' ? 'identifies' : 'resumes');
      // Whoever has a session already is refused whatever it claims: a seat would be lost.
      if (connection.owner.driver.state.phase === 'greeting') admission = this.options.admit(frame);
    }
    connection.owner.driver.dispatch({ type: 'frame', socket, frame, admission });
  }

  private run(actor: Actor, effect: VoiceEffect): void {
    switch (effect.type) {
      case 'send':
        this.send(effect.socket, effect.message);
        return;
      case 'deliver': {
        const data = encode(effect.message, effect.seq);
        actor.log.push({ seq: effect.seq, data });
        if (effect.socket === undefined) return;
        this.options.note('out', `op ${effect.message.op}`, effect.socket);
        this.write(effect.socket, data);
        return;
      }
      case 'replay':
        if (this.withheld.has('RESUMED')) return;
        for (const { data } of actor.log.between(effect.after, effect.through)) this.write(effect.socket, data);
        return;
      case 'acknowledge':
        actor.log.acknowledge(effect.through);
        return;
      case 'close':
        this.options.note('out', `close ${effect.code}`, effect.socket);
        this.connections.get(effect.socket)?.ws.close(effect.code, effect.reason);
        return;
      case 'destroy':
        this.connections.get(effect.socket)?.ws.terminate();
        return;
      case 'start': {
        const key = sessionKey(effect.session);
        // A user has one session: the one before is over.
        this.end(key, 4006);
        this.sessions.set(key, actor);
        this.options.onStart(effect.session);
        return;
      }
      case 'prepare':
        void this.prepare(actor, effect);
        return;
      case 'enter':
        this.options.onEnter(effect.session);
        return;
      case 'request':
        this.options.onRequest(effect.session, effect.request);
        return;
      case 'find': {
        const owner = this.find(effect.claim.guildId, effect.claim.sessionId);
        if (owner === undefined) this.refuse(actor);
        else {
          const { claim, link } = effect;
          owner.driver.dispatch({ type: 'adopt', link, claim, oldest: owner.log.oldest });
        }
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
        if (connection !== undefined) this.refuse(connection.owner);
        return;
      }
      case 'forget': {
        const key = sessionKey(effect.session);
        if (this.sessions.get(key) === actor) this.sessions.delete(key);
        this.options.onEnd(effect.session);
        return;
      }
    }
  }

  private async prepare(actor: Actor, effect: Extract<VoiceEffect, { type: 'prepare' }>): Promise<void> {
    const { session, selection, mode } = effect;
    try {
      const description = await this.options.prepare(session, mode);
      actor.driver.dispatch({ type: 'prepared', selection, description });
    } catch {
      this.options.count('internalErrors');
      actor.driver.dispatch({ type: 'cut', close: { code: 4015, reason: 'Voice server crashed.' } });
    }
  }

  private send(socket: number, message: VoiceMessage): void {
    if (message.op === VoiceOp.HeartbeatAck && !this.acks) return;
    const answer = WITHHOLDABLE[message.op];
    if (answer !== undefined && this.withheld.has(answer)) return;
    if (message.op !== VoiceOp.HeartbeatAck) this.options.note('out', `op ${message.op}`, socket);
    this.write(socket, encode(message));
  }

  private write(socket: number, data: string | Uint8Array): void {
    const ws = this.connections.get(socket)?.ws;
    if (ws === undefined) return;
    if (ws.bufferedAmount > MAX_BUFFERED_BYTES) ws.terminate();
    else ws.send(data, ignore);
  }

  private find(guildId: string, sessionId: string): Actor | undefined {
    for (const actor of this.sessions.values()) {
      const session = sessionOf(actor);
      if (session?.guildId === guildId && session.id === sessionId) return actor;
    }
    return undefined;
  }

  private refuse(actor: Actor): void {
    this.options.count('resumesRefused');
    actor.driver.dispatch({ type: 'refused' });
  }
}

/** A message as it is sent: numbered ones carry their number, binary ones always do. */
function encode(message: VoiceMessage, seq?: number): string | Uint8Array {
  if ('payload' in message) {
    const bytes = new Uint8Array(3 + message.payload.length);
    new DataView(bytes.buffer).setUint16(0, wireSeq(seq ?? 0));
    bytes[2] = message.op;
    bytes.set(message.payload, 3);
    return bytes;
  }
  const { op, d } = message;
  return JSON.stringify(seq === undefined ? { op, d } : { op, d, seq: wireSeq(seq) });
}

/** A frame's name for the log: never its token. */
function nameOf(frame: VoiceFrame): string {
  if (frame.kind === 'request') return frame.request.kind;
  return frame.kind === 'invalid' ? `invalid (${frame.why})` : frame.kind.toUpperCase();
}

function isMeant(actor: Actor, { userId, channelId }: VoiceTarget): boolean {
  if (userId === undefined && channelId === undefined) return true;
  const session = sessionOf(actor);
  if (session === undefined) return false;
  return (
    (userId === undefined || session.userId === userId) && (channelId === undefined || session.channelId === channelId)
  );
}

function sessionOf({ driver }: Actor): VoiceSession | undefined {
  const { state } = driver;
  return state.phase === 'open' || state.phase === 'detached' ? state.session : undefined;
}

const ignore = (): void => {};
