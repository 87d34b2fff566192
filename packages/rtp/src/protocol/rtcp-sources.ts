/** Owns SDES and BYE (RFC 3550 sections 6.5 and 6.6). Texts stay bytes: whoever shows them decodes and cleans them. */
import { requireInteger } from '../errors.js';
import { putU32, U8, U32, u8, u32, words } from './bytes.js';
import { failure, type PacketFailure } from './result.js';
import type { Goodbye, RtcpBody, SourceDescription, SourceItem } from './rtcp-types.js';

export const SOURCE_DESCRIPTION = 202;
export const GOODBYE = 203;

export function parseSourceDescription({ count, body }: RtcpBody): SourceDescription | PacketFailure {
  const chunks: { ssrc: number; items: SourceItem[] }[] = [];
  let at = 0;
  for (let n = 0; n < count; n += 1) {
    if (at + 4 > body.length) return failure('length');
    const chunk = { ssrc: u32(body, at), items: [] as SourceItem[] };
    at += 4;
    for (;;) {
      if (at >= body.length) return failure('length');
      const type = u8(body, at);
      if (type === 0) break;
      const end = at + 2 + u8(body, at + 1);
      if (at + 2 > body.length || end > body.length) return failure('length');
      chunk.items.push({ type, text: body.subarray(at + 2, end) });
      at = end;
    }
    // One zero byte ends the items, more of them lead to the next word.
    at = words(at + 1);
    chunks.push(chunk);
  }
  return { type: 'sourceDescription', chunks };
}

export function sourceDescriptionBody({ chunks }: SourceDescription): RtcpBody {
  const sizes = chunks.map(({ items }) => words(4 + 1 + items.reduce((sum, { text }) => sum + 2 + text.length, 0)));
  const body = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  let start = 0;
  chunks.forEach(({ ssrc, items }, n) => {
    requireInteger('chunks.ssrc', ssrc, U32);
    putU32(body, start, ssrc);
    let at = start + 4;
    for (const { type, text } of items) {
      requireInteger('items.type', type, U8, 1);
      requireInteger('items.text.length', text.length, U8);
      body[at] = type;
      body[at + 1] = text.length;
      body.set(text, at + 2);
      at += 2 + text.length;
    }
    start += sizes[n] as number;
  });
  return { packetType: SOURCE_DESCRIPTION, count: chunks.length, body };
}

export function parseGoodbye({ count, body }: RtcpBody): Goodbye | PacketFailure {
  const end = count * 4;
  if (end > body.length) return failure('length');
  const ssrcs = Array.from({ length: count }, (_, n) => u32(body, n * 4));
  if (end === body.length) return { type: 'goodbye', ssrcs };
  const length = u8(body, end);
  if (end + 1 + length > body.length) return failure('length');
  return { type: 'goodbye', ssrcs, reason: body.subarray(end + 1, end + 1 + length) };
}

export function goodbyeBody({ ssrcs, reason }: Goodbye): RtcpBody {
  const start = ssrcs.length * 4;
  const body = new Uint8Array(reason === undefined ? start : words(start + 1 + reason.length));
  ssrcs.forEach((ssrc, n) => {
    requireInteger('ssrcs', ssrc, U32);
    putU32(body, n * 4, ssrc);
  });
  if (reason !== undefined) {
    requireInteger('reason.length', reason.length, U8);
    body[start] = reason.length;
    body.set(reason, start + 1);
  }
  return { packetType: GOODBYE, count: ssrcs.length, body };
}
