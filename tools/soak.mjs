/**
 * The long runs of every package and example, `packages/<name>/soak/<run>.mjs`, one after the other.
 *
 * `npm run soak [-- name [--option=value …]]`: all, or those of the package or the run that is named, with its options.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './lib/workspace.mjs';

const [wanted, ...options] = process.argv.slice(2);
const runs = ['packages', 'examples'].flatMap((parent) =>
  readdirSync(join(root, parent)).flatMap((name) => {
    const folder = join(root, parent, name, 'soak');
    return existsSync(folder)
      ? readdirSync(folder).map((file) => ({ name, run: file.replace(/\.mjs$/, ''), path: join(folder, file) }))
      : [];
  }),
);

const known = new Set(runs.flatMap(({ name, run }) => [name, run]));
if (wanted !== undefined && !known.has(wanted)) {
  console.error(`no soak of "${wanted}". Known: ${[...known].join(', ')}`);
  process.exit(2);
}
for (const { name, run, path } of runs) {
  if (wanted !== undefined && name !== wanted && run !== wanted) continue;
  console.log(`\n── ${name} ${run}`);
  const { status } = spawnSync(process.execPath, [path, ...options], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
