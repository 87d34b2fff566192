/**
 * Writes what each package's entries export to `packages/<p>/etc/<entry>.api.md`, out of the built types, so that a
 * change of the public surface shows in review. Needs a build.
 *
 * `node tools/api-report.mjs` updates the reports; `--check` fails when one is not up to date. `--root <folder>` names
 * another workspace.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';
import { packages, rootOf } from './lib/workspace.mjs';

const root = rootOf(process.argv);
const check = process.argv.includes('--check');
const work = mkdtempSync(join(tmpdir(), 'guildkit-api-'));
const problems = [];

/** Makes one entry's report in the work folder and returns its text. */
function report({ dir, manifest, entry }) {
  const name = `${manifest.name.split('/')[1]}.${entry.label}.api.md`;
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: dir,
      mainEntryPointFilePath: entry.types,
      newlineKind: 'lf',
      compiler: { tsconfigFilePath: join(dir, 'tsconfig.build.json') },
      apiReport: { enabled: true, reportFileName: name, reportFolder: work, reportTempFolder: join(work, 'temp') },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: 'warning' } },
        extractorMessageReporting: {
          default: { logLevel: 'none' },
          // A type that users meet but cannot name: shown in the report, where a review sees it.
          'ae-forgotten-export': { logLevel: 'warning', addToApiReportFile: true },
        },
        tsdocMessageReporting: { default: { logLevel: 'none' } },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(dir, 'package.json'),
  });
  Extractor.invoke(config, {
    localBuild: true,
    messageCallback(message) {
      message.handled = true;
      if (message.logLevel === 'error' || (message.category === 'Compiler' && message.logLevel === 'warning')) {
        problems.push(`${entry.specifier}: ${message.formatMessageWithLocation(root)}`);
      }
    },
  });
  return readFileSync(join(work, name), 'utf8');
}

try {
  for (const { dir, manifest, entries } of packages(root)) {
    const folder = join(dir, 'etc');
    const expected = new Map();
    for (const entry of entries) {
      if (!existsSync(entry.types)) {
        problems.push(`${relative(root, entry.types)} is not there: run npm run build`);
        continue;
      }
      expected.set(`${entry.label}.api.md`, report({ dir, manifest, entry }));
    }
    const present = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.api.md')) : [];
    for (const name of present.filter((file) => !expected.has(file))) {
      if (check) problems.push(`${relative(root, join(folder, name))} belongs to no entry: run npm run api`);
      else rmSync(join(folder, name));
    }
    for (const [name, text] of expected) {
      const path = join(folder, name);
      const before = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
      if (before === text) continue;
      if (check) {
        problems.push(`${relative(root, path)} is not up to date: run npm run api and review the difference`);
        problems.push(...difference(before ?? '', text));
      } else {
        mkdirSync(folder, { recursive: true });
        writeFileSync(path, text);
        console.log(`wrote ${relative(root, path)}`);
      }
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
for (const problem of problems) console.log(problem);
console.log(`API reports: ${problems.length === 0 ? 'up to date' : 'problems found'}`);
process.exitCode = problems.length > 0 ? 1 : 0;

/** Lines that only one of the texts has: enough to see what moved. */
function difference(before, after) {
  const old = new Set(before.split('\n'));
  const fresh = new Set(after.split('\n'));
  return [
    ...[...old].filter((line) => !fresh.has(line)).map((line) => `  - ${line}`),
    ...[...fresh].filter((line) => !old.has(line)).map((line) => `  + ${line}`),
  ].slice(0, 40);
}
