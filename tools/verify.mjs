/**
 * Everything that has to hold before a change is good, in one command: `npm test`. Prints each step's outcome and time,
 * the whole output of a step that failed, and as its last line the tests that ran.
 *
 * `node tools/verify.mjs [--only <step,…>] [--list] [--verbose]`
 *
 * A step that `--only` names is run with the steps it needs.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkTypes, createConsumer, NODE_MAJORS, pack, smoke } from './consumer.mjs';
import { closingLine, countVitest, sum } from './lib/counts.mjs';
import { endChildren, run, runAll } from './lib/run.mjs';
import { runSteps } from './lib/scheduler.mjs';
import { root } from './lib/workspace.mjs';
import { systemParts } from './system.mjs';

const ci = process.env.CI === 'true';
const temporary = mkdtempSync(join(tmpdir(), 'guildkit-verify-'));
const tarballs = join(temporary, 'tarballs');
mkdirSync(tarballs);

/** Paths of Chromium and redis-server, for the suites that start them. */
let systemEnv = {};
let consumer;

/** A step that is one or more commands. */
const commands =
  (...list) =>
  async () => {
    const { code, output } = await runAll(list, { env: systemEnv });
    return { ok: code === 0, output, summary: lastLine(output) };
  };

/** A step that is a vitest run; its tests are counted. */
const vitest =
  (name, ...args) =>
  async () => {
    const file = join(temporary, `${name}.json`);
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
    const { code, output } = await run('vitest', ['run', ...args, ...reporters], { env: systemEnv });
    if (!existsSync(file)) return { ok: false, output };
    const counts = countVitest(JSON.parse(readFileSync(file, 'utf8')));
    // vitest also fails for an error outside of any test; a run without a test is no pass.
    const ok = code === 0 && counts.failed === 0 && counts.passed + counts.skipped > 0;
    return { ok, output, counts, summary: closingLine(counts) };
  };

const STEPS = [
  {
    name: 'system',
    async run() {
      const { found, missing, output } = await systemParts();
      systemEnv = found;
      const summary = [...Object.values(found), ...missing].join('\n');
      return { ok: missing.length === 0 || !ci, output: output + missing.join('\n'), summary, always: missing };
    },
  },
  {
    name: 'typecheck',
    run: commands(
      ['tsc', '-b'],
      ['node', 'tools/typecheck-protocol.mjs'],
      ...exampleProjects().map((project) => ['tsc', '-p', project]),
    ),
  },
  { name: 'lint', run: commands(['biome', 'check', '--error-on-warnings', '.'], ['node', 'tools/purity.mjs']) },
  {
    name: 'boundaries',
    run: commands(['depcruise', '--config', '.dependency-cruiser.cjs', 'packages', 'examples', 'bench']),
  },
  { name: 'knip', run: commands(['knip', '--no-progress', '--treat-config-hints-as-errors']) },
  { name: 'tests', needs: ['system'], slots: 2, run: vitest('tests') },
  { name: 'build', needs: ['typecheck'], slots: 2, run: commands(['node', 'tools/build.mjs']) },
  {
    name: 'pack',
    needs: ['build'],
    async run() {
      const { code, output } = await pack(tarballs);
      return { ok: code === 0, output, summary: `${readdirSync(tarballs).length} tarballs` };
    },
  },
  { name: 'package-checks', needs: ['pack'], run: commands(['node', 'tools/package-checks.mjs', tarballs]) },
  { name: 'api', needs: ['build'], run: commands(['node', 'tools/api-report.mjs', '--check']) },
  {
    name: 'size',
    needs: ['build'],
    run: async () => ({ ...(await commands(['size-limit'])()), summary: 'budgets in .size-limit.json' }),
  },
  { name: 'examples', needs: ['build'], run: commands(['node', 'tools/readme-examples.mjs']) },
  {
    name: 'consumer',
    needs: ['pack'],
    async run() {
      consumer = await createConsumer(tarballs);
      return { ok: consumer.code === 0, output: consumer.output, summary: 'installed outside the workspace' };
    },
  },
  {
    name: 'consumer-types',
    needs: ['consumer'],
    run: async () => ({ ...(await checkTypes(consumer.dir)), summary: 'ESM and CJS, module node16, skipLibCheck off' }),
  },
  ...NODE_MAJORS.map((major) => ({
    name: `smoke-${major}`,
    needs: ['consumer'],
    async run() {
      const result = await smoke(consumer.dir, major);
      return { ...result, summary: `${result.version}: ${closingLine(result.counts)}` };
    },
  })),
  { name: 'docs', needs: ['typecheck'], run: commands(['typedoc', '--logLevel', 'Warn']) },
  {
    name: 'browser',
    needs: ['system', 'build'],
    slots: 2,
    run: vitest('browser', '--config', 'vitest.browser.config.ts'),
  },
];

function exampleProjects() {
  return readdirSync(join(root, 'examples'))
    .map((name) => join('examples', name, 'tsconfig.json'))
    .filter((path) => existsSync(join(root, path)));
}

/** The steps to run, with what they need. */
function chosen(args) {
  const at = args.indexOf('--only');
  if (at < 0) return STEPS;
  const wanted = new Set();
  const add = (name) => {
    // `smoke` stands for all of smoke-20, smoke-22, …
    const exact = STEPS.filter((step) => step.name === name);
    const steps = exact.length > 0 ? exact : STEPS.filter((step) => step.name.startsWith(`${name}-`));
    if (steps.length === 0)
      throw new Error(`unknown step "${name}". Known: ${STEPS.map((step) => step.name).join(', ')}`);
    for (const step of steps) {
      if (wanted.has(step)) continue;
      wanted.add(step);
      for (const need of step.needs ?? []) add(need);
    }
  };
  for (const name of (args[at + 1] ?? '').split(',')) add(name.trim());
  return STEPS.filter((step) => wanted.has(step));
}

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

function lastLine(output) {
  return output.trim().split('\n').at(-1)?.trim() ?? '';
}

async function main(args) {
  if (args.includes('--list')) {
    console.log(STEPS.map(({ name }) => name).join('\n'));
    return 0;
  }
  const started = performance.now();
  const results = await runSteps(chosen(args), {
    slots: Math.max(2, Math.min(4, availableParallelism())),
    onEnd({ name, status, ms, output = '', always = [] }) {
      if (status === 'failed' || args.includes('--verbose')) console.log(`\n── ${name} ──\n${output.trimEnd()}`);
      else for (const line of always) console.log(line);
      console.log(`${{ ok: '✓', failed: '✗', 'not run': '–' }[status]} ${name} (${status}, ${seconds(ms)})`);
    },
  });

  const width = Math.max(...results.map(({ name }) => name.length));
  console.log('');
  for (const { name, status, ms, summary = '' } of results) {
    const [first, ...more] = summary.split('\n');
    console.log(`${name.padEnd(width)}  ${status.padEnd(7)}  ${seconds(ms).padStart(8)}  ${first}`.trimEnd());
    for (const line of more) console.log(`${' '.repeat(width + 21)}${line}`);
  }
  console.log(`${'total'.padEnd(width)}  ${' '.repeat(7)}  ${seconds(performance.now() - started).padStart(8)}`);

  const counts = sum(results.map((result) => result.counts).filter((value) => value !== undefined));
  // A step without tests that failed, or one whose runner failed beside its tests, is a failure of its own.
  for (const { status, counts: own } of results) if (status === 'failed' && !(own?.failed > 0)) counts.failed += 1;
  console.log('');
  console.log(closingLine(counts));
  return results.every(({ status }) => status === 'ok') ? 0 : 1;
}

function cleanUp() {
  endChildren();
  rmSync(temporary, { recursive: true, force: true });
  if (consumer !== undefined) rmSync(consumer.dir, { recursive: true, force: true });
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.once(signal, () => {
    cleanUp();
    process.exit(code);
  });
}
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
} finally {
  cleanUp();
}
