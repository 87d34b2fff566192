/** Owns the default logger: pino, one JSON object a line, with everything sanitized and the trace id added. */
import { check, type Logger, type Redacted, resolveOptions } from '@guildkit/core';
import { pino } from 'pino';
import { createSanitizer } from './sanitize.js';
import { currentTraceId } from './trace.js';

/** How much is logged. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Where lines go. */
export interface LogDestination {
  /** Takes one line with its line feed. */
  write(line: string): unknown;
}

/** Settings of {@link createLogger}. */
export interface LoggerOptions {
  /** @defaultValue the environment's `LOG_LEVEL`, else `'info'` */
  readonly level?: LogLevel | undefined;
  /** Stands in every line as `name`. */
  readonly name?: string | undefined;
  /** Texts that never appear in a line: tokens, secrets. */
  readonly secrets?: readonly (string | Redacted)[] | undefined;
  /** Longest text in a line, at most 10000. @defaultValue 1000 */
  readonly maxTextLength?: number | undefined;
  /** Where lines go, each with its line feed. @defaultValue standard output */
  readonly destination?: LogDestination | undefined;
}

/** The default logger. */
export interface AppLogger extends Logger {
  /** A logger that adds fields to every line. */
  child(fields: Readonly<Record<string, unknown>>): AppLogger;
  readonly level: LogLevel;
}

interface Settings {
  readonly level: LogLevel | undefined;
  readonly name: string | undefined;
  readonly secrets: readonly (string | Redacted)[];
  readonly maxTextLength: number;
  readonly destination: LogDestination | undefined;
}

const DEFAULTS: Settings = {
  level: undefined,
  name: undefined,
  secrets: [],
  maxTextLength: 1_000,
  destination: undefined,
};

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/**
 * Creates a logger.
 *
 * @throws TypeError on options out of range; an unknown `LOG_LEVEL` in the environment means `info`.
 *
 * @example
 * ```ts
 * import { createLogger, runWithTrace } from '@guildkit/server-kit/observability';
 *
 * const logger = createLogger({ name: 'app', secrets: ['the bot token itself'] });
 * runWithTrace('trace-0001', () => logger.info({ userId: '42', token: 'x' }, 'logged in'));
 * // {"level":"info","time":…,"name":"app","traceId":"trace-0001","userId":"42","token":"[redacted]","msg":"logged in"}
 * ```
 */
export function createLogger(options?: LoggerOptions): AppLogger {
  const { level, name, secrets, maxTextLength, destination } = resolveOptions('createLogger', DEFAULTS, options, {
    level: check.optional(check.oneOf(...LEVELS)),
    maxTextLength: check.integer(16, 10_000),
  });
  const sanitizer = createSanitizer({ secrets, maxTextLength });
  const chosen = level ?? levelOf(process.env.LOG_LEVEL);
  const settings = {
    level: chosen,
    base: name === undefined ? {} : { name },
    formatters: { level: (label: string) => ({ level: label }) },
    // Errors are written by the sanitizer.
    serializers: { err: (error: unknown) => error },
  };
  const root = destination === undefined ? pino(settings) : pino(settings, destination as pino.DestinationStream);

  function wrap(bound: Readonly<Record<string, unknown>>): AppLogger {
    const write =
      (at: 'debug' | 'info' | 'warn' | 'error'): Logger['info'] =>
      (fields, message) => {
        if (!root.isLevelEnabled(at)) return;
        const traceId = currentTraceId();
        const safe = sanitizer.fields(asFields(fields));
        // No arguments after it: `%s` in a message that someone else wrote stays what it is.
        root[at](
          { ...(traceId === undefined ? {} : { traceId }), ...bound, ...safe },
          sanitizer.text(String(message ?? '')),
        );
      };
    return {
      level: chosen,
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      child: (fields) => wrap({ ...bound, ...sanitizer.fields(asFields(fields)) }),
    };
  }
  return wrap({});
}

/** `logger.error(error)` is a slip that must not lose the error. */
function asFields(fields: unknown): Record<string, unknown> {
  if (fields instanceof Error) return { err: fields };
  if (typeof fields === 'object' && fields !== null) return fields as Record<string, unknown>;
  return { value: fields };
}

function levelOf(text: string | undefined): LogLevel {
  const wanted = text?.trim().toLowerCase();
  return LEVELS.find((level) => level === wanted) ?? 'info';
}
