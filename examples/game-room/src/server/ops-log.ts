/**
 * Owns the warnings and errors that operators see on the page /ops: the last of them, in memory, whatever the log's level.
 * Refuses secrets, control characters, and what tells where this app runs: addresses and paths.
 */
import { type Logger, Redacted } from '@guildkit/core';
import { createLogger } from '@guildkit/server-kit/observability';

/** A warning or an error as operators see it. */
export interface OpsRecord {
  /** Counts up: a key. */
  readonly id: number;
  /** Unix ms. */
  readonly at: number;
  readonly level: 'warn' | 'error';
  readonly message: string;
  readonly traceId: string | undefined;
  readonly fields: readonly { readonly name: string; readonly value: string }[];
}

export interface OpsLog {
  /** A logger that writes to the given one, and whose warnings and errors are kept. */
  follow(logger: Logger): Logger;
  /** What was kept, newest first. */
  recent(): readonly OpsRecord[];
}

const KEPT = 100;
const MAX_FIELDS = 12;
const MAX_TEXT = 300;
/** Fields that are said elsewhere in a record, or say where things are. */
const NOT_SHOWN =
  /^(?:level|time|msg|traceId|stack|name|pid|hostname)$|(?:url|uri|base|host|address|port|path|directory|origin)$/i;

/** What tells where the app runs, and what stands in its place. */
const PLACES: readonly (readonly [RegExp, string])[] = [
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s'"<>)]+/gi, '[address]'],
  [/\b(ENOTFOUND|EAI_AGAIN) \S+/g, '$1 [address]'],
  [/\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b/g, '[address]'],
  [/\[?(?<![\w:/])(?=[0-9a-f:]*::|(?:[0-9a-f]{1,4}:){4})[0-9a-f:]{2,45}\]?(?::\d{1,5})?/gi, '[address]'],
  [/\b(?:localhost|[a-z][\w-]*(?:\.[\w-]+)+|[a-z][\w-]*(?=:\d{4,5}\b))(?::\d{1,5})\b/gi, '[address]'],
  [/(?<![\w:/])\/(?:[\w.@+-]+\/)+[\w.@+-]*(?![\w:/])/g, '[path]'],
  [/\b[A-Z]:\\[^\s'"]+/g, '[path]'],
];

/** A text without addresses and paths. */
export function withoutPlaces(text: string): string {
  return PLACES.reduce((left, [pattern, stand]) => left.replace(pattern, stand), text);
}

/** @param settings Whatever stands in them as `Redacted` never appears. */
export function createOpsLog(settings: object): OpsLog {
  const records: OpsRecord[] = [];
  let count = 0;
  const keeper = createLogger({
    level: 'warn',
    secrets: secretsIn(settings),
    maxTextLength: MAX_TEXT,
    destination: {
      write(line) {
        count += 1;
        records.unshift(recordOf(count, JSON.parse(line)));
        records.length = Math.min(records.length, KEPT);
      },
    },
  });
  return {
    follow: (logger) => ({
      debug: (fields, message) => logger.debug(fields, message),
      info: (fields, message) => logger.info(fields, message),
      warn(fields, message) {
        logger.warn(fields, message);
        keeper.warn(fields, message);
      },
      error(fields, message) {
        logger.error(fields, message);
        keeper.error(fields, message);
      },
    }),
    recent: () => records,
  };
}

function recordOf(id: number, line: Readonly<Record<string, unknown>>): OpsRecord {
  const { level, time, msg, traceId } = line;
  const fields = Object.entries(line)
    .filter(([name]) => !NOT_SHOWN.test(name))
    .flatMap(([name, value]) => {
      const text = textOf(value);
      return text === undefined ? [] : [{ name, value: withoutPlaces(text) }];
    })
    .slice(0, MAX_FIELDS);
  return {
    id,
    at: Number(time),
    level: level === 'error' ? 'error' : 'warn',
    message: withoutPlaces(String(msg)),
    traceId: typeof traceId === 'string' ? traceId : undefined,
    fields,
  };
}

/** A field in a few words; of an error what it says, not where in the code it was. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  const { message, code } = Object(value) as { message?: unknown; code?: unknown };
  if (typeof message !== 'string') return undefined;
  return typeof code === 'string' ? `${code}: ${message}` : message;
}

/** Every secret in the settings, wherever it stands. */
function secretsIn(value: unknown): readonly string[] {
  if (value instanceof Redacted) return textsIn(value.reveal());
  if (typeof value !== 'object' || value === null || value instanceof URL) return [];
  return Object.values(value).flatMap(secretsIn);
}

function textsIn(secret: unknown): readonly string[] {
  // A key's parts are as secret as the whole.
  if (typeof secret === 'object' && secret !== null) return Object.values(secret).flatMap(textsIn);
  return typeof secret === 'string' && secret.length >= 8 ? [secret] : [];
}
