// Builds the packages and the reference app, each only when its sources have changed since its last build.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stampFile = join(root, '.cache', 'app-build.json');

/** What a build is made of. Tests and documents are not. */
const SOURCES = [
  'src',
  'public',
  'package.json',
  'tsup.config.ts',
  'tsconfig.json',
  'tsconfig.build.json',
  'vite.config.ts',
];

/** A unit of building: `dir` is hashed, `output` shows that a build is there. */
const units = () => {
  const packages = readdirSync(join(root, 'packages'))
    .filter((name) => existsSync(join(root, 'packages', name, 'tsup.config.ts')))
    .map((name) => ({ name: `@guildkit/${name}`, dir: `packages/${name}`, output: `packages/${name}/dist` }));
  return [
    ...packages,
    { name: 'game-room', dir: 'examples/game-room', output: 'examples/game-room/dist/server/serve.js' },
  ];
};

/**
 * @param {{ log?: (line: string) => void }} [options]
 * @returns names of what was built
 * @throws Error with the build's output when a build fails
 */
export function buildIfStale({ log = () => {} } = {}) {
  const built = readStamps();
  const wanted = wantedStamps();
  const stale = units().filter(({ name, output }) => built[name] !== wanted[name] || !existsSync(join(root, output)));
  if (stale.length === 0) return [];

  log(`Building ${stale.map(({ name }) => name).join(', ')} …`);
  const filters = stale.flatMap(({ name }) => ['--filter', name]);
  // pnpm builds in the order of dependence.
  const args = ['-r', '--workspace-concurrency=2', ...filters, 'run', 'build'];
  const result = spawnSync(join(root, 'node_modules', '.bin', 'pnpm'), args, {
    cwd: root,
    encoding: 'utf8',
    // The browser's bundle is the fast one whatever the server will run as.
    env: { ...process.env, NODE_ENV: 'production' },
    shell: process.platform === 'win32',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.status !== 0) {
    throw new Error(`The build failed.\n${result.error?.message ?? ''}${result.stdout ?? ''}${result.stderr ?? ''}`);
  }
  mkdirSync(dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, `${JSON.stringify(wanted, null, 2)}\n`);
  return stale.map(({ name }) => name);
}

function readStamps() {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'));
  } catch {
    return {};
  }
}

/** A package is stale when core is: its types stand in the others'. The app holds parts of all of them. */
function wantedStamps() {
  const shared = hashOf(
    ['pnpm-lock.yaml', 'tsconfig.base.json', 'tools/finish-build.mjs'].map((path) => join(root, path)),
  );
  const stamps = { shared };
  let all = shared;
  const core = hashOf(SOURCES.map((source) => join(root, 'packages/core', source)));
  for (const { name, dir } of units()) {
    const own = hashOf(SOURCES.map((source) => join(root, dir, source)));
    const isApp = name === 'game-room';
    stamps[name] = digest([isApp ? all : shared, core, own]);
    all = digest([all, own]);
  }
  return stamps;
}

function hashOf(paths) {
  const hash = createHash('sha256');
  for (const path of paths) addTo(hash, path);
  return hash.digest('hex');
}

function addTo(hash, path) {
  if (!existsSync(path)) return;
  let entries;
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch {
    hash.update(`${path.slice(root.length)}\0`).update(readFileSync(path));
    return;
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    // The router's plugin writes it while it builds.
    if (entry.name !== 'routeTree.gen.ts') addTo(hash, join(path, entry.name));
  }
}

const digest = (parts) => createHash('sha256').update(parts.join('\n')).digest('hex');
