/** Owns JSON in and out: bounded, of the right type, without prototype tricks. */
import { readBytes } from '../shared/read-body.js';
import { toFields } from './error-response.js';
import { HttpError } from './errors.js';

/** What is asked of a schema: zod's `safeParse`, of either flavour. */
export interface JsonSchema<T> {
  /** Checks a value: data, or issues with a path each. */
  safeParse(value: unknown):
    | { readonly success: true; readonly data: T }
    | {
        readonly success: false;
        readonly error: {
          readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
        };
      };
}

/** Settings of {@link readJson}. */
export interface ReadJsonOptions<T> {
  /** Largest body, in bytes. @defaultValue 65536: commands and forms are far smaller */
  readonly maxBytes?: number | undefined;
  /** Checks the value; its issues become the answer's `fields`. */
  readonly schema?: JsonSchema<T> | undefined;
}

/** Largest JSON body by default. */
const DEFAULT_MAX_BYTES = 65_536;

const JSON_TYPE = /^application\/(?:[a-z0-9.+-]+\+)?json\s*(?:;|$)/i;

/**
 * Reads a JSON body.
 *
 * @throws HttpError `ERR_HTTP_BODY_TYPE`, `ERR_HTTP_BODY_TOO_LARGE`, `ERR_HTTP_BODY_MALFORMED`, `ERR_HTTP_BODY_UNREADABLE`
 * or, with a schema, `ERR_HTTP_INPUT_INVALID`.
 */
export async function readJson<T = unknown>(request: Request, options: ReadJsonOptions<T> = {}): Promise<T> {
  const { maxBytes = DEFAULT_MAX_BYTES, schema } = options;
  // Also keeps forms of other sites out: they cannot send this type without asking first (CORS).
  if (!JSON_TYPE.test(request.headers.get('content-type') ?? '')) throw new HttpError('ERR_HTTP_BODY_TYPE');
  const body = await readBytes(request, maxBytes);
  if (body.kind === 'tooLarge') throw new HttpError('ERR_HTTP_BODY_TOO_LARGE');
  if (body.kind === 'unreadable') throw new HttpError('ERR_HTTP_BODY_UNREADABLE', { cause: body.cause });
  const value = parse(body.bytes);
  if (schema === undefined) return value as T;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new HttpError('ERR_HTTP_INPUT_INVALID', { fields: toFields(result.error.issues) });
}

/** A JSON answer that is neither cached nor sniffed. */
export function jsonResponse(
  value: unknown,
  init: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {},
): Response {
  const headers = new Headers(init.headers);
  headers.set('content-type', 'application/json; charset=utf-8');
  headers.set('x-content-type-options', 'nosniff');
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store');
  return new Response(toSafeJson(value), { status: init.status ?? 200, headers });
}

/**
 * JSON that can stand inside a script element as well: `<`, `>`, `&` and the line separators are escaped. Parses to the
 * same value.
 */
export function toSafeJson(value: unknown): string {
  const text = JSON.stringify(value) ?? 'null';
  return text.replace(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function parse(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    // An own key of that name would be taken for the prototype by code that copies key by key.
    return JSON.parse(text, function (this: unknown, key, value: unknown) {
      return key === '__proto__' ? undefined : value;
    });
  } catch {
    // The parser's message quotes the input: it is not kept.
    throw new HttpError('ERR_HTTP_BODY_MALFORMED');
  }
}
