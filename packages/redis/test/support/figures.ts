/** What the long runs print: rows that tests add to the file of the run, one run at a time. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const file = process.env.GUILDKIT_SOAK_REPORT;

/** Whether this is a long run. */
export const isSoak = file !== undefined;

export function addFigures(row: object): void {
  if (file === undefined) return;
  const rows = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as object[]) : [];
  writeFileSync(file, JSON.stringify([...rows, row]));
}
