/** Owns several processes of the built app behind a balancer: their start, their end, one after the other anew. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createBalancer } from './balancer.mjs';

const PROGRAM = fileURLToPath(new URL(`../${process.env.GAME_ROOM_DIST ?? 'dist'}/server/serve.js`, import.meta.url));
/** How long a process may take to be there. */
const START_MS = 30_000;
/** How long one that was asked to stop may take. */
const STOP_MS = 15_000;
const RESPAWN_MS = 500;

/**
 * @typedef {object} FleetOptions
 * @property {number} size
 * @property {Readonly<Record<string, string>>} env settings of every process; address and port are added
 * @property {number} [port] of the balancer; 0 for any free one
 * @property {boolean} [respawn] whether one that ends by itself is started again
 * @property {(line: string) => void} [log] told of what happens
 */

/** @param {FleetOptions} options */
export async function startFleet({ size, env, port = 0, respawn = true, log = () => {} }) {
  const balancer = await createBalancer({ port, log });
  /** @type {Map<string, import('node:child_process').ChildProcess>} */
  const children = new Map();
  let isClosing = false;
  // However this process ends, those that it started do.
  const endAll = () => {
    for (const child of children.values()) child.kill('SIGKILL');
  };
  process.once('exit', endAll);

  /** @param {string} id */
  async function start(id) {
    const at = await freePort();
    const child = spawn(process.execPath, [PROGRAM], {
      env: {
        PATH: process.env.PATH ?? '',
        LOG_LEVEL: 'warn',
        ...env,
        HOST: '127.0.0.1',
        PORT: String(at),
        VITE_BASE_URL: balancer.url,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.set(id, child);
    /** @param {Buffer} text */
    const pass = (text) => {
      for (const line of String(text).split('\n'))
        if (/^{|needs attention|cannot start/.test(line)) log(`${id} ${line}`);
    };
    child.stdout.on('data', pass);
    child.stderr.on('data', pass);
    child.once('exit', (code, signal) => {
      if (children.get(id) !== child) return;
      children.delete(id);
      if (isClosing) return;
      log(`${id} ended with ${signal ?? code}`);
      if (respawn) void delay(RESPAWN_MS).then(() => (isClosing || children.has(id) ? undefined : start(id)));
    });
    balancer.add(id, `http://127.0.0.1:${at}`);
  }

  /** @param {string} id */
  async function untilUp(id) {
    const until = Date.now() + START_MS;
    while (balancer.backends().find((backend) => backend.id === id)?.state !== 'up') {
      if (Date.now() > until) throw new Error(`${id} did not start`);
      await delay(50);
    }
  }

  /** Ends a process as a supervisor does: asked first. @param {string} id */
  async function stop(id) {
    const child = children.get(id);
    if (child === undefined) return;
    children.delete(id);
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await gone;
    clearTimeout(timer);
  }

  const ids = Array.from({ length: size }, (_, index) => `app-${index + 1}`);
  await Promise.all(ids.map(start));
  await Promise.all(ids.map(untilUp));

  return {
    balancer,
    url: balancer.url,
    ids,
    /** @param {string} id */
    pid: (id) => children.get(id)?.pid,
    start,
    untilUp,
    stop,
    /** Ends a process at once, as a crash would. @param {string} id */
    async kill(id) {
      const child = children.get(id);
      if (child === undefined) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
    /** What a process says of itself. @param {string} id */
    async health(id) {
      const backend = balancer.backends().find((each) => each.id === id);
      return (await fetch(new URL('/health', backend?.url))).json();
    },
    /** Every process anew, one after the other; nobody is sent to one that goes. */
    async rollingRestart() {
      for (const id of ids) {
        log(`${id} is started anew`);
        balancer.drain(id);
        await stop(id);
        await start(id);
        await untilUp(id);
      }
      log('all processes were started anew');
    },
    async close() {
      isClosing = true;
      await Promise.all(ids.map(stop));
      process.off('exit', endAll);
      await balancer.close();
    },
  };
}

/** A free port that stays free: below those that the system gives to outgoing connections (32768 and above on Linux). */
async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const probe = createServer();
    const isFree = await new Promise((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}
