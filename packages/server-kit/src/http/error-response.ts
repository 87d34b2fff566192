/**
 * Owns how anything that was thrown becomes an answer: status, code and a sentence that says nothing of the inside. What
 * is not known to be the caller's is 500 and stands in the log alone, under the request id.
 */
import { GuildkitError, type Logger, messageOf, silentLogger, toLogText } from '@guildkit/core';
import { type FieldProblem, type Refusal, refusalResponse } from '../shared/safe-response.js';
import { HTTP_ERRORS, type HttpErrorCode } from './errors.js';
import { isPublic, statusOfCode } from './status-table.js';

/** Settings of {@link toErrorResponse}. */
export interface ErrorResponseOptions {
  /** Names the request in the answer and in the log. @defaultValue a new one */
  readonly requestId?: string | undefined;
  readonly logger?: Logger | undefined;
  /** Further headers of the answer. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Further fields of the log line: method, path, user id. */
  readonly logFields?: Readonly<Record<string, unknown>> | undefined;
}

/** What is said where an error's own message may not be. */
const BY_STATUS: Readonly<Record<number, HttpErrorCode>> = {
  400: 'ERR_HTTP_INPUT_INVALID',
  401: 'ERR_HTTP_AUTH_REQUIRED',
  403: 'ERR_HTTP_FORBIDDEN',
  404: 'ERR_HTTP_NOT_FOUND',
  409: 'ERR_HTTP_CONFLICT',
  413: 'ERR_HTTP_BODY_TOO_LARGE',
  429: 'ERR_HTTP_RATE_LIMITED',
  502: 'ERR_HTTP_UPSTREAM_FAILED',
  503: 'ERR_HTTP_UNAVAILABLE',
};

/** A longer list helps nobody and may be an attack. */
const MAX_FIELDS = 32;

/**
 * The answer to a request that ended in an error. Maps every error of the suite and zod's; anything else is 500. Logs one
 * line: ERROR from 500 on (with the error), WARN for 401, 403 and 429, DEBUG for the rest.
 *
 * @example
 * ```ts
 * import { HttpError, toErrorResponse } from '@guildkit/server-kit/http';
 *
 * export async function handler(request: Request): Promise<Response> {
 *   try {
 *     throw new HttpError('ERR_HTTP_CONFLICT', { message: 'The room is full.' });
 *   } catch (error) {
 *     return toErrorResponse(error, { requestId: request.headers.get('x-request-id') ?? undefined }); // 409
 *   }
 * }
 * ```
 */
export function toErrorResponse(error: unknown, options: ErrorResponseOptions = {}): Response {
  const { requestId = crypto.randomUUID(), logger = silentLogger, headers, logFields } = options;
  const refusal = toRefusal(error);
  log(logger, refusal, error, { ...logFields, requestId });
  const challenge = refusal.status === 401 ? { 'www-authenticate': 'Bearer' } : {};
  return refusalResponse(refusal, requestId, { ...challenge, ...headers });
}

/** What an error may say to the caller. Never throws, whatever it is given. */
export function toRefusal(error: unknown): Refusal {
  try {
    return GuildkitError.is(error) ? ofGuildkit(error) : (ofZod(error) ?? generic(500));
  } catch {
    // A getter of a foreign error threw.
    return generic(500);
  }
}

function ofGuildkit(error: GuildkitError): Refusal {
  const { code } = error;
  const status = upstreamStatus(error) ?? statusOfCode(code) ?? 500;
  const said = isPublic(code, status) ? error.message : generic(status).message;
  return { status, code, message: said, fields: fieldsOf(error), retryAfterMs: retryAfterOf(error) };
}

/** What Discord said of the thing itself is passed on: it is not there, or too fast. That the bot may not is our fault. */
function upstreamStatus(error: GuildkitError): number | undefined {
  const { status } = error as { status?: unknown };
  // The gateway service passes on what Discord said of the command.
  if (error.code === 'ERR_LINK_COMMAND_FAILED' && typeof status === 'number') return status;
  if (error.code !== 'ERR_REST_REQUEST_REFUSED') return undefined;
  return status === 404 || status === 429 ? status : undefined;
}

function ofZod(error: unknown): Refusal | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { name, issues } = error as { name?: unknown; issues?: unknown };
  if ((name !== 'ZodError' && name !== '$ZodError') || !Array.isArray(issues)) return undefined;
  return { ...generic(400), fields: toFields(issues) };
}

/** Field details of zod's issues; also those of `/rest`. */
export function toFields(issues: readonly unknown[]): readonly FieldProblem[] {
  return issues.slice(0, MAX_FIELDS).map((issue) => {
    const { path, message } = Object(issue) as { path?: unknown; message?: unknown };
    const text = Array.isArray(path) ? path.map(String).join('.') : String(path ?? '');
    return { path: toLogText(text, 100), message: toLogText(String(message ?? 'is not valid'), 200) };
  });
}

function fieldsOf(error: GuildkitError): readonly FieldProblem[] | undefined {
  const { fields, issues } = error as { fields?: unknown; issues?: unknown };
  if (error.code === 'ERR_REST_INPUT_INVALID' && Array.isArray(issues)) return toFields(issues);
  // Discord's field errors speak of Discord's body, not of the caller's.
  if (error.code.startsWith('ERR_REST_') || !Array.isArray(fields) || fields.length === 0) return undefined;
  return toFields(fields);
}

function retryAfterOf(error: GuildkitError): number | undefined {
  const { retryAfterMs } = error as { retryAfterMs?: unknown };
  return typeof retryAfterMs === 'number' && Number.isFinite(retryAfterMs) && retryAfterMs >= 0
    ? Math.ceil(retryAfterMs)
    : undefined;
}

function generic(status: number): Refusal {
  const code = BY_STATUS[status] ?? 'ERR_HTTP_INTERNAL';
  return { status, code, message: HTTP_ERRORS[code].message };
}

function log(
  logger: Logger,
  { status, code }: Refusal,
  error: unknown,
  fields: Readonly<Record<string, unknown>>,
): void {
  const line = { ...fields, status, code };
  if (status >= 500) {
    logger.error({ ...line, err: error, reason: toLogText(messageOf(error), 500) }, 'request failed');
  } else if (status === 401 || status === 403 || status === 429) logger.warn(line, 'request refused');
  else logger.debug(line, 'request refused');
}
