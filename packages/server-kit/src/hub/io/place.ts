/** Owns one connection's place in one room: which of the room's events it is sent. Refuses to know what carries them. */
import { type Message, recordMessage } from '../codec/message.js';
import type { RecordBatch } from '../codec/record-batch.js';
import type { RoomRecord } from '../protocol/records.js';
import { Subscription } from '../protocol/subscription.js';
import type { RoomSubscriber } from './room-feeds.js';

/** Whose place it is. */
export interface PlaceOwner {
  send(message: Message): void;
  /** Sends what follows each other. */
  sendBatch(batch: RecordBatch): void;
  /** Events are missing: the history has to be read again. */
  holeFound(room: string, ticket: number): void;
}

/** Live events kept while a history is read. */
const MAX_WAITING = 1_024;

/** A place. */
export class Place implements RoomSubscriber {
  readonly ticket: number;
  /** Who it counts for as a viewer. */
  readonly userId: string;
  readonly subscription = new Subscription<RoomRecord>(MAX_WAITING);
  private readonly room: string;
  private readonly owner: PlaceOwner;

  constructor(room: string, ticket: number, userId: string, owner: PlaceOwner) {
    this.room = room;
    this.ticket = ticket;
    this.userId = userId;
    this.owner = owner;
  }

  onRecords(batch: RecordBatch): void {
    const { subscription, owner } = this;
    if (batch.isRun && subscription.pushRun(batch.first, batch.last)) {
      owner.sendBatch(batch);
      return;
    }
    for (const record of batch.records) {
      const verdict = subscription.push(record);
      if (verdict === 'deliver') owner.send(recordMessage(record));
      else if (verdict === 'hole') owner.holeFound(this.room, this.ticket);
    }
  }
}
