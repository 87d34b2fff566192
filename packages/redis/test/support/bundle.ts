/** A program of the tests as one file of plain JavaScript, so that processes of their own can run it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const source = (path: string): string => fileURLToPath(new URL(`../../../${path}/index.ts`, import.meta.url));

export interface Program {
  readonly path: string;
  remove(): Promise<void>;
}

/** Bundles a program and what it imports of the suite. */
export async function bundle(entry: URL): Promise<Program> {
  const folder = await mkdtemp(join(tmpdir(), 'guildkit-redis-'));
  const path = join(folder, 'process.cjs');
  await build({
    entryPoints: [fileURLToPath(entry)],
    outfile: path,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'silent',
    alias: {
      '@guildkit/core': source('core/src'),
      '@guildkit/core/wire': source('core/src/wire'),
      '@guildkit/core/wire/schema': source('core/src/wire/schema'),
      '@guildkit/gateway': source('gateway/src'),
      '@guildkit/redis': source('redis/src'),
      '@guildkit/rest': source('rest/src'),
      '@guildkit/server-kit/hub': source('server-kit/src/hub'),
    },
  });
  return { path, remove: () => rm(folder, { recursive: true, force: true }) };
}
