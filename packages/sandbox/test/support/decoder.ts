/** Reads a compressed gateway stream as a client does: one decoder for the connection, a message at a time. */
import * as zlib from 'node:zlib';

const { createZstdDecompress } = zlib as unknown as { createZstdDecompress(): zlib.Inflate };

export function createDecoder(
  compression: string,
  onMessage: (text: string) => void,
  onError: (error: Error) => void,
): (chunk: Buffer) => void {
  const stream = compression === 'zstd-stream' ? createZstdDecompress() : zlib.createInflate();
  let text = '';
  const pending: Buffer[] = [];
  let busy = false;
  stream.setEncoding('utf8');
  stream.on('data', (part: string) => {
    text += part;
  });
  stream.on('error', onError);
  const next = (): void => {
    const chunk = pending.shift();
    busy = chunk !== undefined;
    if (chunk === undefined) return;
    stream.write(chunk, () =>
      // What was inflated is emitted by then.
      setImmediate(() => {
        const message = text;
        text = '';
        if (message !== '') onMessage(message);
        next();
      }),
    );
  };
  return (chunk) => {
    pending.push(chunk);
    if (!busy) next();
  };
}
