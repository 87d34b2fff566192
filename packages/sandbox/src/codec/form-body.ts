/**
 * Owns bodies that are not JSON: `application/x-www-form-urlencoded` and `multipart/form-data` (RFC 7578). Returns a
 * tagged result; nothing here throws.
 */
import type { UploadedFile } from '../protocol/rest/router.js';

/** A multipart body's parts. */
export interface Multipart {
  /** Text fields by name; of two with one name the last. */
  readonly fields: ReadonlyMap<string, string>;
  readonly files: readonly UploadedFile[];
}

/** Parts of one body at most: ten files and a payload fit. */
const MAX_PARTS = 32;
const MAX_HEADER_BYTES = 4_096;
const MAX_NAME_CHARS = 260;

/** Reads a form. Of two fields with one name the first counts. */
export function parseUrlEncoded(text: string): Record<string, string> {
  const fields: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) fields[name] ??= value;
  return fields;
}

/** Reads a multipart body; `undefined` when it is not one. */
export function parseMultipart(contentType: string, body: Buffer): Multipart | undefined {
  const boundary = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  const name = boundary?.[1] ?? boundary?.[2];
  if (name === undefined) return undefined;
  const first = Buffer.from(`--${name}`);
  const next = Buffer.from(`\r\n--${name}`);
  let at = body.indexOf(first);
  if (at === -1) return undefined;
  at += first.length;
  const fields = new Map<string, string>();
  const files: UploadedFile[] = [];
  for (let parts = 0; ; parts += 1) {
    const mark = body.toString('latin1', at, at + 2);
    if (mark === '--') return { fields, files };
    if (mark !== '\r\n' || parts >= MAX_PARTS) return undefined;
    const headEnd = body.indexOf('\r\n\r\n', at);
    if (headEnd === -1 || headEnd - at > MAX_HEADER_BYTES) return undefined;
    const end = body.indexOf(next, headEnd + 2);
    if (end === -1) return undefined;
    const head = body.toString('utf8', at + 2, headEnd);
    const bytes = body.subarray(Math.min(headEnd + 4, end), end);
    const field = parameterOf(head, 'name');
    if (field === undefined) return undefined;
    const filename = parameterOf(head, 'filename');
    if (filename === undefined) fields.set(field, bytes.toString('utf8'));
    else {
      const type = /^content-type:[ \t]*([^\r\n]{1,200})/im.exec(head)?.[1];
      // Copied: a view would hold the whole body for as long as one file is kept.
      files.push({ field, filename: safeName(filename), contentType: type ?? null, bytes: Buffer.from(bytes) });
    }
    at = end + next.length;
  }
}

/** A parameter of Content-Disposition. Browsers and undici percent-encode quotes and line ends (WHATWG HTML, multipart). */
function parameterOf(head: string, name: string): string | undefined {
  const line = /^content-disposition:[ \t]*form-data([^\r\n]*)/im.exec(head)?.[1] ?? '';
  const found = new RegExp(`;\\s*${name}=(?:"([^"]*)"|([^;\\s]+))`, 'i').exec(line);
  const value = found?.[1] ?? found?.[2];
  return value?.replaceAll('%22', '"').replaceAll(/%0D|%0A/g, '');
}

/** A name that is safe in a URL's path and in a header, as Discord makes it. */
function safeName(filename: string): string {
  const last = filename.slice(-MAX_NAME_CHARS).split(/[/\\]/).at(-1) ?? '';
  const safe = last.replaceAll(/[^\p{L}\p{N}._-]+/gu, '_').replace(/^\.+/, '');
  return safe === '' ? 'unknown' : safe;
}
