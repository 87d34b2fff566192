/** Owns reading the bytes of a file in pieces. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';

/** A path, or the bytes themselves. */
export type FileInput = string | Uint8Array;

const PIECE_BYTES = 64 * 1024;

/** The pieces, one after another. A file is closed at its end, or when no more is wanted. */
export function piecesOf(file: FileInput): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  return typeof file === 'string' ? createReadStream(file, { highWaterMark: PIECE_BYTES }) : cut(file);
}

/** The first bytes, fewer if the file has fewer. */
export async function headOf(file: FileInput, size: number): Promise<Uint8Array> {
  if (typeof file !== 'string') return file.subarray(0, size);
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(size), 0, size, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function* cut(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}
