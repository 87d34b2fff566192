/**
 * Owns multipart/form-data (RFC 7578) as bytes. Written out rather than left to FormData: its class differs between
 * Node's and any other undici in the process, and a body of bytes can be sent again on a retry.
 */
import { randomUUID } from 'node:crypto';
import { InvalidInputError } from '../errors.js';
import type { RequestFile } from '../options.js';

/** Encodes files, and the JSON body as `payload_json` (Discord, Uploading Files). */
export function encodeMultipart(
  body: unknown,
  files: readonly RequestFile[],
): { readonly contentType: string; readonly bytes: Uint8Array } {
  const boundary = `guildkit-${randomUUID()}`;
  const parts: Uint8Array[] = [];
  const add = (disposition: string, type: string, data: Uint8Array): void => {
    const head = `--${boundary}\r\ncontent-disposition: form-data; ${disposition}\r\ncontent-type: ${type}\r\n\r\n`;
    parts.push(Buffer.from(head), data, Buffer.from('\r\n'));
  };
  if (body !== undefined) add('name="payload_json"', 'application/json', Buffer.from(JSON.stringify(body)));
  for (const [
    at,
    { name, data, contentType = 'application/octet-stream', field = `files[${at}]` },
  ] of files.entries()) {
    if (!/^[\w.+-]+\/[\w.+-]+(;[\x20-\x7e]*)?$/.test(contentType))
      throw refused(at, 'contentType', 'must be a media type');
    if (typeof name !== 'string' || name === '') throw refused(at, 'name', 'must be a non-empty string');
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    if (!(bytes instanceof Uint8Array)) throw refused(at, 'data', 'must be a Uint8Array or text');
    add(`name="${quoted(field)}"; filename="${quoted(name)}"`, contentType, bytes);
  }
  parts.push(Buffer.from(`--${boundary}--\r\n`));
  return { contentType: `multipart/form-data; boundary=${boundary}`, bytes: Buffer.concat(parts) };
}

/** RFC 7578 section 4.2 by way of the WHATWG encoding: what would end the quoted string is percent-encoded. */
function quoted(text: string): string {
  return text.replace(/["\r\n]/g, (character) => encodeURIComponent(character));
}

function refused(at: number, field: string, message: string): InvalidInputError {
  const path = `files[${at}].${field}`;
  return new InvalidInputError(`${path} ${message}`, [{ path, message }]);
}
