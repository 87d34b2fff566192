/** A folder of files that a test makes up, and a tool run on it. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { childEnv } from '../lib/run.mjs';
import { root } from '../lib/workspace.mjs';

/** Writes files, `{ path: text }`, into a folder that goes away with the test. */
export function makeFixture(files) {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'guildkit-fixture-')));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  return dir;
}

/** Runs a tool of this folder. */
export function runTool(tool, args, { cwd = root, env = {} } = {}) {
  return runCommand('node', [join(root, 'tools', tool), ...args], { cwd, env });
}

/** Runs a command with the workspace's tools on the PATH. */
export function runCommand(command, args, { cwd = root, env = {} } = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env: childEnv(env), encoding: 'utf8' });
  return { code: status, output: `${stdout}${stderr}` };
}
