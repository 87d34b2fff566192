/** What the long runs share: their options, tests run with other bounds, the figures that a test wrote. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './workspace.mjs';

/** `--<name>=<whole number above 0>`, else the fallback. Anything else ends the process with 2. */
export function numberOption(name, fallback) {
  const prefix = `--${name}=`;
  const found = process.argv.slice(2).find((argument) => argument.startsWith(prefix));
  const value = found === undefined ? fallback : Number(found.slice(prefix.length));
  if (Number.isInteger(value) && value > 0) return value;
  console.error(`--${name} must be a whole number above 0`);
  process.exit(2);
}

/**
 * Runs test files with other bounds, which they read from the environment. A failure becomes the process's exit code.
 *
 * @param files From the workspace's root.
 * @param env Numbers become strings.
 * @param args More arguments of vitest.
 */
export function runTests(files, env, args = []) {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const bounds = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)]));
  const { status } = spawnSync(process.execPath, [vitest, 'run', '--project', 'node', ...args, ...files], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...bounds },
  });
  if (status !== 0) process.exitCode = status ?? 1;
  return status === 0;
}

/** Gives `action` a path for a test to write figures to; returns them, `undefined` when there are none. */
export function figuresOf(action) {
  const folder = mkdtempSync(join(tmpdir(), 'guildkit-soak-'));
  const file = join(folder, 'figures.json');
  try {
    action(file);
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
