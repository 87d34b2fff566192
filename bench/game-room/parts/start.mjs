// How long `npm start` takes on a machine that has only Node and npm, and how long the next time. From a clone of the last
// commit, with an empty home. Packages come from the registry that npm is set to.
import { spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** Seconds until the app says where it is, and until a page of it is answered. */
async function startOnce(directory, env) {
  const began = performance.now();
  const since = () => (performance.now() - began) / 1000;
  // A group of its own: npm, pnpm and the app end together.
  const child = spawn('npm', ['start'], { cwd: directory, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    let said = '';
    const address = await new Promise((resolve, reject) => {
      const take = (chunk) => {
        said += chunk;
        const found = /is running at\s+(http\S+)/.exec(said);
        if (found !== null) resolve(found[1]);
      };
      child.stdout.on('data', take);
      child.stderr.on('data', take);
      child.once('exit', (code) => reject(new Error(`npm start ended with ${code}:\n${said.slice(-2_000)}`)));
    });
    const saidAt = since();
    const { status } = await fetch(address);
    if (status !== 200) throw new Error(`the page answers ${status}`);
    return { saidAt, answeredAt: since() };
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      process.kill(-child.pid, 'SIGTERM');
      await gone;
    }
  }
}

export async function start({ runs = 3 }) {
  const directory = await mkdtemp(join(tmpdir(), 'game-room-start-'));
  try {
    const clone = join(directory, 'clone');
    const cloned = spawnSync('git', ['clone', '--quiet', '--no-hardlinks', ROOT, clone], { stdio: 'inherit' });
    if (cloned.status !== 0) throw new Error('git clone failed');
    const home = join(directory, 'home');
    await mkdir(home);
    // Nothing of this process's own npm: neither its Node 24 nor its settings.
    const path = (process.env.PATH ?? '').split(':').filter((each) => !each.includes('node_modules'));
    const kept = Object.entries(process.env).filter(
      ([name]) => !/^(npm_|pnpm_|NODE|PATH$|HOME$|XDG_|INIT_CWD|GAME_ROOM_)/i.test(name),
    );
    const env = { ...Object.fromEntries(kept), PATH: path.join(':'), HOME: home, PORT: '0' };
    const cold = await startOnce(clone, env);
    const warm = [];
    for (let run = 0; run < runs; run += 1) warm.push(await startOnce(clone, env));
    const seconds = (value) => value.toFixed(1);
    const range = (of) => {
      const values = warm.map((each) => each[of]).sort((a, b) => a - b);
      return `${seconds(values[0])} to ${seconds(values.at(-1))}`;
    };
    return [
      'A clone of the last commit in an empty folder, an empty home, nothing installed but Node, npm and git; packages come from the',
      'registry over the network. Cold: install, build of all packages and of the app, start with the sandbox. Warm: the same again,',
      `${runs} times.`,
      '',
      '| seconds from `npm start` | until it prints its address | until the first page is answered |',
      '|---|---|---|',
      `| cold | ${seconds(cold.saidAt)} | ${seconds(cold.answeredAt)} |`,
      `| warm | ${range('saidAt')} | ${range('answeredAt')} |`,
    ];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
