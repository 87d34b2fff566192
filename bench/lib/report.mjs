/** Writes a bench's section into docs/benchmarks.md, with command, machine and date. */
import { readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';

const FILE = new URL('../../docs/benchmarks.md', import.meta.url);

/** What the figures were taken on. */
export function machine() {
  const memory = Math.round(os.totalmem() / 2 ** 30);
  return `${os.cpus().length} cores (${os.cpus()[0]?.model.trim() ?? 'unknown'}), ${memory} GiB, ${os.type()} ${os.release().split('-')[0]}, Node ${process.version}`;
}

/** Replaces the section named `id`, or adds it at the end. */
export async function writeSection(id, title, command, lines) {
  const text = await readFile(FILE, 'utf8');
  const start = `<!-- bench:${id} -->`;
  const end = `<!-- /bench:${id} -->`;
  const date = new Date().toISOString().slice(0, 10);
  const section = [start, `## ${title}`, '', `\`${command}\` · ${machine()} · ${date}`, '', ...lines, end].join('\n');
  const from = text.indexOf(start);
  const to = text.indexOf(end);
  const next =
    from < 0 ? `${text.trimEnd()}\n\n${section}\n` : `${text.slice(0, from)}${section}${text.slice(to + end.length)}`;
  await writeFile(FILE, next);
}
