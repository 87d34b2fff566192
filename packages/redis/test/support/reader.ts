/** A reader as the hub's sessions are: it takes what follows, reads again at a hole, and knows when it was told to start over. */
import type { Position } from '@guildkit/core/wire';
import type { HubEngine, RoomRecord } from '@guildkit/server-kit/hub';

export class Reader {
  /** Payloads since the last start. */
  seen: unknown[] = [];
  /** How often it was told that something is missing. */
  restarts = 0;
  position: Position | undefined;
  private readonly engine: HubEngine;
  private readonly room: string;
  private reading: Promise<void> | undefined;
  private waiting = false;

  private constructor(engine: HubEngine, room: string) {
    this.engine = engine;
    this.room = room;
  }

  static async join(engine: HubEngine, room: string): Promise<Reader> {
    const reader = new Reader(engine, room);
    await engine.watch(room, (record) => reader.onRecord(record));
    await reader.read();
    return reader;
  }

  private onRecord(record: RoomRecord): void {
    const at = this.position;
    if (this.reading !== undefined || at === undefined) this.waiting = true;
    else if (record.epoch === at.epoch && record.seq <= at.seq) return;
    else if (record.epoch === at.epoch && record.seq === at.seq + 1) this.take(record);
    else void this.read();
  }

  private read(): Promise<void> {
    this.reading ??= this.readAll().finally(() => {
      this.reading = undefined;
    });
    return this.reading;
  }

  private async readAll(): Promise<void> {
    do {
      this.waiting = false;
      const read = await this.untilItWorks();
      if (this.position !== undefined && !read.recovered) {
        this.restarts += 1;
        this.seen = [];
      }
      for (const record of read.events) this.take(record);
      this.position = { epoch: read.epoch, seq: read.seq };
    } while (this.waiting);
  }

  private async untilItWorks() {
    for (;;) {
      try {
        return await this.engine.read(this.room, this.position);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  private take(record: RoomRecord): void {
    this.position = { epoch: record.epoch, seq: record.seq };
    this.seen.push(JSON.parse(record.payload));
  }
}
