/** A logger that keeps its lines, as a test reads them. */
import type { Logger } from '@guildkit/core';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export function keepingLogger(): Logger & { readonly lines: LogLine[]; of(level: LogLine['level']): LogLine[] } {
  const lines: LogLine[] = [];
  const at =
    (level: LogLine['level']): Logger['info'] =>
    (fields, message) => {
      lines.push({ level, fields, message });
    };
  return {
    lines,
    of: (level) => lines.filter((line) => line.level === level),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  };
}
