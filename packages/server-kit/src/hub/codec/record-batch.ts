/** Owns events of one room that are told together, and their bytes: joined once for all who are told the same. */
import type { RoomRecord } from '../protocol/records.js';
import { type Message, recordMessage } from './message.js';

/** Some events of one room, in the order in which they came. Never empty. */
export class RecordBatch {
  readonly records: readonly RoomRecord[];
  /** Each follows the one before, in one life of the log. */
  readonly isRun: boolean;
  private byteBound: number | undefined;
  private wsFrames: Buffer | undefined;
  private readonly events: { whole?: Buffer; chunked?: Buffer } = {};

  constructor(records: readonly RoomRecord[]) {
    this.records = records;
    const first = this.records[0] as RoomRecord;
    this.isRun = records.every(({ epoch, seq }, at) => epoch === first.epoch && seq === first.seq + at);
  }

  get first(): RoomRecord {
    return this.records[0] as RoomRecord;
  }

  get last(): RoomRecord {
    return this.records[this.records.length - 1] as RoomRecord;
  }

  /** The message of each event. */
  messages(): readonly Message[] {
    return this.records.map(recordMessage);
  }

  /** No fewer bytes than it will be in any form. */
  get maxBytes(): number {
    // UTF-8 takes three for a unit of UTF-16; framing, and the id line of a stream.
    this.byteBound ??= this.messages().reduce((sum, { json }) => sum + 3 * json.length + 512, 0);
    return this.byteBound;
  }

  /** As WebSocket frames, one for each event. */
  get frames(): Buffer {
    this.wsFrames ??= join(this.messages().map(({ frame }) => frame));
    return this.wsFrames;
  }

  /** As server-sent events of a stream that has only this room. */
  soloEvents(chunked: boolean): Buffer {
    const form = chunked ? 'chunked' : 'whole';
    let bytes = this.events[form];
    if (bytes === undefined) {
      bytes = join(this.messages().map((message) => message.soloEvent(chunked)));
      this.events[form] = bytes;
    }
    return bytes;
  }
}

function join(list: readonly Buffer[]): Buffer {
  return list.length === 1 ? (list[0] as Buffer) : Buffer.concat(list);
}
