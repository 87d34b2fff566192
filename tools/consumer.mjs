/**
 * Uses the packed tarballs as a user would: installs them outside the workspace, runs them with node:test on several
 * Node majors in both module formats, and type-checks a consumer of each kind.
 *
 * `node tools/consumer.mjs <folder with the tarballs> [--node 20,22,24,26] [--only smoke,types] [--keep]`
 */
import { cpSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { countTap, sum } from './lib/counts.mjs';
import { run } from './lib/run.mjs';
import { packages, readJson, root } from './lib/workspace.mjs';

/** Node majors that are supported and tested. */
export const NODE_MAJORS = ['20', '22', '24', '26'];

/** Packs every package into a folder. */
export function pack(folder) {
  return run('pnpm', ['-r', '--filter', './packages/*', 'pack', '--pack-destination', folder]);
}

/** Makes a project outside the workspace and installs the tarballs in it. */
export async function createConsumer(tarballs) {
  // realpath: on macOS the temporary folder is a link, which TypeScript and Node name differently.
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'guildkit-consumer-')));
  const { devDependencies } = readJson('package.json');
  const types = ['@types/node', '@types/react'].map((name) => `${name}@${devDependencies[name]}`);
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  const files = readdirSync(tarballs)
    .filter((name) => name.endsWith('.tgz'))
    .map((name) => join(tarballs, name));
  const args = ['install', '--no-package-lock', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  const result = await run('npm', [...args, ...files, `react@${devDependencies.react}`, ...types], { cwd: dir });
  writeProgram(dir);
  return { dir, ...result };
}

/**
 * pnpm's shims set NODE_PATH to the workspace's store, where `require` would find packages that were never declared.
 * Deleting it is not enough: Node reads it once.
 */
const WITHOUT_NODE_PATH = `delete process.env.NODE_PATH;
require('node:module').Module._initPaths();`;

/** The smoke test's and the type check's files. */
function writeProgram(dir) {
  cpSync(join(root, 'tools', 'consumer'), dir, { recursive: true });
  const specifiers = packages().flatMap(({ entries }) => entries.map(({ specifier }) => specifier));
  const list = specifiers.map((specifier) => `  ${JSON.stringify(specifier)},`).join('\n');
  const load = `
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
${WITHOUT_NODE_PATH}
const specifiers = [\n${list}\n];
const esm = Object.fromEntries(await Promise.all(specifiers.map(async (s) => [s, await import(s)])));
const cjs = Object.fromEntries(specifiers.map((s) => [s, require(s)]));
`;
  writeFileSync(join(dir, 'esm.test.mjs'), `${load}require('./scenario.cjs').scenario('ESM', esm, cjs);\n`);
  writeFileSync(
    join(dir, 'cjs.test.cjs'),
    `${WITHOUT_NODE_PATH}
const specifiers = [\n${list}\n];
const cjs = Object.fromEntries(specifiers.map((s) => [s, require(s)]));
const { before } = require('node:test');
const esm = {};
before(async () => {
  for (const s of specifiers) esm[s] = await import(s);
});
require('./scenario.cjs').scenario('CJS', cjs, esm);
`,
  );

  const imports = (keep) =>
    specifiers
      .filter(keep)
      .map((specifier, index) => `import * as entry${index} from '${specifier}';\nvoid entry${index};`)
      .join('\n');
  const requires = (keep) =>
    specifiers
      .filter(keep)
      .map((specifier, index) => `import entry${index} = require('${specifier}');\nvoid entry${index};`)
      .join('\n');
  const isServer = (specifier) => !specifier.startsWith('@guildkit/realtime-client/');
  const isBrowser = (specifier) =>
    specifier.startsWith('@guildkit/core') || specifier.startsWith('@guildkit/realtime-client');
  writeFileSync(join(dir, 'server-entries.mts'), `${imports(isServer)}\n`);
  writeFileSync(join(dir, 'server-entries.cts'), `${requires(isServer)}\n`);
  writeFileSync(join(dir, 'browser-entries.mts'), `${imports(isBrowser)}\n`);
  writeFileSync(join(dir, 'browser-entries.cts'), `${requires(isBrowser)}\n`);
  const base = {
    target: 'es2022',
    module: 'node16',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
  };
  // Programs of their own: a server has no DOM, a page has no Node.
  writeFileSync(
    join(dir, 'tsconfig.server.json'),
    JSON.stringify({
      compilerOptions: { ...base, lib: ['es2023'], types: ['node'] },
      files: ['server-entries.mts', 'server-entries.cts', 'server.mts', 'server.cts'],
    }),
  );
  writeFileSync(
    join(dir, 'tsconfig.browser.json'),
    JSON.stringify({
      compilerOptions: { ...base, lib: ['es2023', 'dom', 'dom.iterable'], types: [], jsx: 'react-jsx' },
      files: ['browser-entries.mts', 'browser-entries.cts', 'page.tsx'],
    }),
  );
  // The least that a consumer has: what a declaration needs beyond that, it has to ask for itself.
  writeFileSync(
    join(dir, 'tsconfig.least.json'),
    JSON.stringify({
      compilerOptions: { ...base, lib: ['es2022', 'dom'], types: [] },
      files: ['server-entries.mts', 'server-entries.cts', 'browser-entries.mts', 'browser-entries.cts'],
    }),
  );
}

/** Runs the smoke test on one Node major. */
export async function smoke(dir, major) {
  const command = `node --version && node --test --test-reporter=tap esm.test.mjs cjs.test.cjs`;
  const result = await run('npx', ['-y', '--prefer-offline', '-p', `node@${major}`, '-c', command], { cwd: dir });
  const counts = countTap(result.output);
  const version = /^v(\d+)\.\S+/m.exec(result.output);
  // npx could have found another Node, or node:test no test: neither is a pass.
  const ok = result.code === 0 && version?.[1] === major && counts.failed === 0 && counts.passed > 0;
  return { ok, version: version?.[0] ?? 'no version', output: result.output, counts };
}

/** Type-checks the consumers with the workspace's TypeScript. */
export async function checkTypes(dir) {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const results = [];
  for (const project of ['tsconfig.server.json', 'tsconfig.browser.json', 'tsconfig.least.json']) {
    results.push(await run('node', [tsc, '-p', project], { cwd: dir }));
  }
  return { ok: results.every(({ code }) => code === 0), output: results.map(({ output }) => output).join('') };
}

async function main(args) {
  const value = (name, fallback) => (args.includes(name) ? args[args.indexOf(name) + 1] : fallback);
  const only = value('--only', 'smoke,types').split(',');
  const { dir, code, output } = await createConsumer(resolve(args[0]));
  if (code !== 0) {
    console.log(output);
    process.exitCode = 1;
    return;
  }
  let ok = true;
  const counts = [];
  if (only.includes('types')) {
    const types = await checkTypes(dir);
    console.log(types.output || 'types: ok');
    ok &&= types.ok;
  }
  if (only.includes('smoke')) {
    for (const major of value('--node', NODE_MAJORS.join()).split(',')) {
      const result = await smoke(dir, major);
      if (!result.ok) console.log(result.output);
      console.log(`${result.version}: ${JSON.stringify(result.counts)}`);
      counts.push(result.counts);
      ok &&= result.ok;
    }
    console.log(JSON.stringify(sum(counts)));
  }
  if (args.includes('--keep')) console.log(dir);
  else rmSync(dir, { recursive: true, force: true });
  process.exitCode = ok ? 0 : 1;
}

if (import.meta.filename === process.argv[1]) await main(process.argv.slice(2));
