/**
 * Finds the parts that no package registry has: a Chromium and a redis-server. On Debian as root a missing one is
 * installed; elsewhere it is reported with the way to get it.
 *
 * `node tools/system.mjs` prints what was found.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runAll } from './lib/run.mjs';

const PARTS = [
  {
    name: 'chromium',
    variable: 'CHROMIUM_PATH',
    commands: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    files: ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'],
    suites: 'browser tests',
  },
  {
    name: 'redis-server',
    variable: 'REDIS_SERVER_PATH',
    commands: ['redis-server'],
    files: [],
    suites: 'Redis tests',
  },
];

/** Where an executable is: the variable's path, else the first command on the PATH, else one of the files. */
export function findPart(part, env = process.env) {
  const named = env[part.variable];
  if (named) return isExecutable(named) ? named : undefined;
  for (const command of part.commands) {
    for (const folder of (env.PATH ?? '').split(delimiter).filter(Boolean)) {
      const path = join(folder, command);
      if (isExecutable(path)) return path;
    }
  }
  return part.files.find(isExecutable);
}

/**
 * Finds the parts and installs what is missing where that is possible.
 *
 * @returns the paths by variable name, and a line for each part that is missing.
 */
export async function systemParts({ env = process.env, install = canInstall() } = {}) {
  let output = '';
  if (install && PARTS.some((part) => findPart(part, env) === undefined)) {
    const missing = PARTS.filter((part) => findPart(part, env) === undefined).map((part) => part.name);
    const result = await runAll(
      [
        ['apt-get', '-q', 'update'],
        ['apt-get', '-q', 'install', '-y', '--no-install-recommends', ...missing],
      ],
      // RUNLEVEL=1 keeps the packages from starting a daemon.
      { env: { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' } },
    );
    output = result.code === 0 ? `installed ${missing.join(', ')}\n` : result.output;
  }
  const found = {};
  const missing = [];
  for (const part of PARTS) {
    const path = findPart(part, env);
    if (path === undefined) {
      missing.push(
        `${part.name} was not found: the ${part.suites} are skipped. ` +
          `Install it (Debian: apt-get install ${part.name}) or name it in ${part.variable}.`,
      );
    } else {
      found[part.variable] = path;
    }
  }
  return { found, missing, output };
}

function canInstall() {
  return process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/etc/debian_version');
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { found, missing, output } = await systemParts();
  process.stdout.write(output);
  for (const [variable, path] of Object.entries(found)) console.log(`${variable}=${path}`);
  for (const line of missing) console.log(line);
  process.exitCode = missing.length > 0 && process.env.CI === 'true' ? 1 : 0;
}
