/** The file that an install links: it stands in the repository before anything is built. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

let folder: string;
let bin: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guildkit-sandbox-'));
  await mkdir(join(folder, 'bin'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  bin = join(folder, 'bin', 'guildkit-sandbox.js');
  await copyFile(fileURLToPath(new URL('../../bin/guildkit-sandbox.js', import.meta.url)), bin);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (...args: string[]) =>
  new Promise<{ readonly code: number; readonly out: string; readonly err: string }>((resolve) => {
    execFile(process.execPath, [bin, ...args], (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });

it('says what is missing before a build', async () => {
  const { code, out, err } = await run('--help');
  expect([code, out]).toEqual([1, '']);
  expect(err).toContain('npm run build');
});

it('hands its arguments to the built command', async () => {
  await mkdir(join(folder, 'dist'));
  await writeFile(join(folder, 'dist', 'cli.js'), 'process.stdout.write(process.argv.slice(2).join());');
  expect(await run('--port', '0')).toEqual({ code: 0, out: '--port,0', err: '' });
});
