/** Owns the logger's shape: pino's. The suite never writes to the console. */

/** One log method: fields first, then a plain sentence. */
export type LogMethod = (fields: Readonly<Record<string, unknown>>, message: string) => void;

/** What the suite asks of a logger. A pino instance fits; so does a wrapper of a few lines. */
export interface Logger {
  debug: LogMethod;
  info: LogMethod;
  warn: LogMethod;
  error: LogMethod;
}

const ignore: LogMethod = () => {};

/** Logs nothing: the default of every `logger` option. */
export const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
