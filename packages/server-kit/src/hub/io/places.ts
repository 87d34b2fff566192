/**
 * Owns the rooms of one connection: a place in each, history told before what is live, and given back at the end. Refuses to
 * decide who may hear what.
 */
import { messageOf, toLogText } from '@guildkit/core';
import type { ControlEvents, Position, SubscribeAck } from '@guildkit/core/wire';
import { type Message, type RoomPosition, recordMessage } from '../codec/message.js';
import { parseCursor } from '../protocol/cursor.js';
import type { RoomRead } from '../protocol/records.js';
import type { SessionEffect, SessionInput } from '../protocol/session-types.js';
import type { ConnectionHost } from './connection-host.js';
import { Place, type PlaceOwner } from './place.js';
import type { Transport } from './transport.js';

/** Whose places they are. */
export interface PlacesOwner extends PlaceOwner {
  readonly host: ConnectionHost;
  readonly transport: Transport;
  readonly userId: string | undefined;
  readonly isStream: boolean;
  /** Who, for a log line. */
  who(): object;
  dispatch(input: SessionInput): void;
  reply(type: 'ack' | 'error', event: string, re: string | undefined, payload: unknown): void;
  control<Name extends keyof ControlEvents>(event: Name, payload: ControlEvents[Name], at?: RoomPosition): void;
}

/** The places of one connection. */
export class Places {
  private readonly places = new Map<string, Place>();
  private readonly owner: PlacesOwner;

  constructor(owner: PlacesOwner) {
    this.owner = owner;
  }

  get size(): number {
    return this.places.size;
  }

  has(room: string): boolean {
    return this.places.has(room);
  }

  /** Events so far are on their way. */
  mark(): void {
    for (const { subscription } of this.places.values()) subscription.mark();
  }

  /** How many events the client is behind its last mark, at most, by the numbers that it reports. */
  behind(seqs: Readonly<Record<string, number>>): number {
    let most = 0;
    for (const [room, place] of this.places) {
      const seq = Object.hasOwn(seqs, room) ? seqs[room] : undefined;
      if (seq !== undefined) most = Math.max(most, place.subscription.behind(seq));
    }
    return most;
  }

  /** The same, by the cursor of a stream. */
  behindCursor(cursor: string): number {
    const reported = parseCursor(cursor);
    let most = 0;
    for (const [room, { subscription }] of this.places) {
      const seen = reported.get(room);
      // A position in another life of the log says nothing about this one.
      if (seen === undefined || seen.epoch !== subscription.position?.epoch) continue;
      most = Math.max(most, subscription.behind(seen.seq));
    }
    return most;
  }

  /** Takes a place; its history is read from `since`. */
  join(room: string, ticket: number, since: Position | undefined): void {
    const { host, userId = '' } = this.owner;
    const place = new Place(room, ticket, userId, this.owner);
    this.places.set(room, place);
    host.enter(room, userId);
    // Live first, history second: what is published in between is kept, and nothing slips through.
    host.feeds.join(room, place).then(
      () => this.read(room, ticket, since),
      (error: unknown) => this.onReadFailed(room, ticket, error),
    );
  }

  /** Reads the history again, from where the client is. */
  catchUp(room: string, ticket: number): void {
    this.read(room, ticket, this.places.get(room)?.subscription.position);
  }

  /** Gives all places back. */
  leaveAll(): void {
    for (const room of [...this.places.keys()]) this.leave(room);
  }

  private read(room: string, ticket: number, since: Position | undefined): void {
    this.owner.host.engine.read(room, since).then(
      (read) => this.owner.dispatch({ type: 'read', room, ticket, read }),
      (error: unknown) => this.onReadFailed(room, ticket, error),
    );
  }

  private onReadFailed(room: string, ticket: number, error: unknown): void {
    const { owner } = this;
    owner.host.logger.warn({ ...owner.who(), room, error: toLogText(messageOf(error)) }, 'hub cannot read a room');
    owner.dispatch({ type: 'readFailed', room, ticket });
  }

  /** The history was read: tells it, and what came meanwhile. */
  start({ room, ticket, re, read }: Extract<SessionEffect, { type: 'start' }>): void {
    const place = this.places.get(room);
    if (place?.ticket !== ticket) return;
    const { epoch, seq, snapshot } = read;
    const missed = this.missedMessages(read);
    if (re !== undefined && (missed !== undefined || !this.owner.isStream)) {
      // `seq` is where the log stands: a client that recovers knows by it when the last missed event has come.
      const ack: SubscribeAck = { room, epoch, seq, recovered: missed !== undefined };
      this.owner.reply('ack', 'subscribe', re, missed === undefined ? { ...ack, snapshot } : ack);
    } else if (missed === undefined) {
      this.owner.control('sys.snapshot', { room, epoch, seq, snapshot }, { room, epoch, seq });
    }
    for (const message of missed ?? []) this.owner.send(message);
    const { items, hole } = place.subscription.start({ epoch, seq });
    for (const record of items) this.owner.send(recordMessage(record));
    if (hole) this.owner.dispatch({ type: 'holeFound', room, ticket });
  }

  /** The missed events, unless telling them would break the byte bound: the state is smaller than its history. */
  private missedMessages({ recovered, events }: RoomRead): readonly Message[] | undefined {
    if (!recovered) return undefined;
    const messages = events.map(recordMessage);
    const bytes = messages.reduce((sum, message) => sum + this.owner.transport.sizeOf(message), 0);
    // Half of what is free: the live events that follow need room too.
    const free = (this.owner.host.limits.maxBufferedBytes - this.owner.transport.bufferedBytes) / 2;
    return bytes <= free ? messages : undefined;
  }

  /** Gives a place back. */
  leave(room: string): void {
    const place = this.places.get(room);
    if (place === undefined) return;
    this.places.delete(room);
    this.owner.host.exit(room, place.userId);
    this.owner.host.feeds.leave(room, place);
    this.owner.transport.forget?.(room);
  }
}
