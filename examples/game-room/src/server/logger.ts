/** Owns where the log goes: JSON lines, or readable ones where a person looks on. */
import type { Logger } from '@guildkit/core';
import { currentTraceId } from '@guildkit/server-kit/observability';
import { pino } from 'pino';

type Level = 'debug' | 'info' | 'warn' | 'error' | 'silent';

const LEVEL_NAMES: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info ', 40: 'WARN ', 50: 'ERROR' };
/** Fields whose names say that they hold a secret: the last line of defence. */
const SECRET_FIELDS = ['token', 'secret', 'password', 'authorization', 'cookie'];

/** @param readable One plain line each instead of JSON. */
export function createAppLogger(level: Level, readable: boolean): Logger {
  const options = {
    level,
    base: null,
    redact: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]),
    // What a request led to is found by the id that the page /ops shows. A line's own id goes before it.
    mixin: () => {
      const traceId = currentTraceId();
      return traceId === undefined ? {} : { traceId };
    },
  };
  return readable ? pino(options, { write: (line: string) => process.stdout.write(toReadable(line)) }) : pino(options);
}

function toReadable(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as { level: number; time: number; msg: string };
  const clock = new Date(time).toLocaleTimeString('en-GB');
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => `${key}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`);
  return `${clock} ${LEVEL_NAMES[level] ?? level} ${[msg, ...rest].join('  ')}\n`;
}
