/** Owns writing a file piece by piece: nothing waits, what goes wrong is told at the end. Bounded in what has not been written. */
import { createWriteStream, type WriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { RtcError } from '../../errors.js';

/** A minute of stereo PCM. A disk that is slower than this is no place to record to. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** A file being written. */
export interface FileSink {
  write(bytes: Uint8Array): void;
  /** @param head Bytes to be put over the beginning. @throws (rejects) What went wrong, as `node:fs` says it. */
  close(head?: Uint8Array): Promise<void>;
}

/** Makes or overwrites a file. */
export function createFileSink(path: string): FileSink {
  const stream: WriteStream = createWriteStream(path);
  let failure: unknown;
  stream.on('error', (error) => {
    failure ??= error;
  });
  let closing: Promise<void> | undefined;

  async function finish(head: Uint8Array | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      stream.once('close', resolve);
      stream.end();
    });
    if (failure !== undefined) throw failure;
    if (head === undefined) return;
    const handle = await open(path, 'r+');
    try {
      await handle.write(head, 0, head.length, 0);
    } finally {
      await handle.close();
    }
  }

  return {
    write(bytes) {
      if (failure !== undefined || closing !== undefined || bytes.length === 0) return;
      if (stream.writableLength > MAX_WAITING_BYTES) {
        failure = new RtcError('ERR_RTC_RECORDING_FAILED', 'the disk is slower than the recording');
        return;
      }
      stream.write(bytes);
    },
    close(head) {
      closing ??= finish(head);
      return closing;
    },
  };
}
