/** Events that are told together: the same bytes as one by one, joined once, and only where they follow each other. */
import { describe, expect, it } from 'vitest';
import { recordMessage } from '../../src/hub/codec/message.js';
import { RecordBatch } from '../../src/hub/codec/record-batch.js';
import type { RoomRecord } from '../../src/hub/protocol/records.js';

const record = (seq: number, init: Partial<RoomRecord> = {}): RoomRecord => ({
  room: 'channel:10',
  epoch: 'e',
  seq,
  event: 'x',
  payload: JSON.stringify({ text: `ä${seq}\n\u2028` }),
  id: `id ${seq}`,
  ts: 1,
  ...init,
});

describe('a batch', () => {
  it('is the bytes of its messages, one after the other, and the same object each time', () => {
    const records = [record(1), record(2), record(3)];
    const batch = new RecordBatch(records);
    const messages = records.map(recordMessage);
    expect(batch.frames).toEqual(Buffer.concat(messages.map(({ frame }) => frame)));
    expect(batch.frames).toBe(batch.frames);
    for (const chunked of [true, false]) {
      expect(batch.soloEvents(chunked)).toEqual(Buffer.concat(messages.map((message) => message.soloEvent(chunked))));
      expect(batch.soloEvents(chunked)).toBe(batch.soloEvents(chunked));
    }
    expect(batch.soloEvents(false).toString()).toContain('id: channel:10,e,2\ndata: {');
    expect(batch.maxBytes).toBeGreaterThanOrEqual(Math.max(batch.frames.length, batch.soloEvents(true).length));
  });

  it('of one event copies nothing', () => {
    const one = record(1);
    expect(new RecordBatch([one]).frames).toBe(recordMessage(one).frame);
    expect(new RecordBatch([one]).soloEvents(true)).toBe(recordMessage(one).soloEvent(true));
  });

  it('is a run when each event follows the one before in one life of the log', () => {
    const isRun = (...records: RoomRecord[]) => new RecordBatch(records).isRun;
    expect(isRun(record(5))).toBe(true);
    expect(isRun(record(5), record(6), record(7))).toBe(true);
    expect(isRun(record(5), record(7))).toBe(false);
    expect(isRun(record(5), record(5))).toBe(false);
    expect(isRun(record(5), record(6, { epoch: 'other' }))).toBe(false);
  });
});
