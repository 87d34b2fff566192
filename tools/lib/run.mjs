/** Starts child processes for the tools and keeps what they print. */
import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { root } from './workspace.mjs';

/** Child processes that run. */
const running = new Set();

/** What every child gets: the workspace's own tools first on the PATH, no colours, no chatter from npm. */
export function childEnv(extra = {}) {
  return {
    ...process.env,
    PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}`,
    NO_COLOR: '1',
    FORCE_COLOR: undefined,
    npm_config_loglevel: 'error',
    npm_config_update_notifier: 'false',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    ...extra,
  };
}

/**
 * Runs a command to its end.
 *
 * @returns its exit code (1 when it could not be started or was killed) and everything it printed.
 */
export function run(command, args, { cwd = root, env = {}, timeoutMs = 600_000 } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: childEnv(env),
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that what it started ends with it.
      detached: process.platform !== 'win32',
      shell: process.platform === 'win32',
    });
    running.add(child);
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    let note = '';
    const timer = setTimeout(() => {
      note = `\n${command} ${args.join(' ')} was ended after ${timeoutMs / 1000} s\n`;
      end(child);
    }, timeoutMs);
    const finish = (code) => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ code, output: Buffer.concat(chunks).toString('utf8') + note });
    };
    child.on('error', (error) => {
      note = `\n${command} could not be started: ${error.message}\n`;
      finish(1);
    });
    child.on('close', (code) => finish(code ?? 1));
  });
}

/** Runs commands one after the other up to the first that fails. */
export async function runAll(commands, options) {
  let output = '';
  for (const [command, ...args] of commands) {
    const result = await run(command, args, options);
    output += result.output;
    if (result.code !== 0) return { code: result.code, output: `${output}\n(${[command, ...args].join(' ')})\n` };
  }
  return { code: 0, output };
}

/** Ends every child that still runs. */
export function endChildren() {
  for (const child of running) end(child);
}

function end(child) {
  try {
    if (process.platform === 'win32') child.kill('SIGKILL');
    else process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
