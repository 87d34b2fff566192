/** Bundles of this package's source, as a user's bundler would make them: no build stands between an edit and its test. */
import { fileURLToPath } from 'node:url';
import { type BuildOptions, type BuildResult, build } from 'esbuild';
import { browserPlatform } from '../../tsup.config.js';

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const COMMON = {
  bundle: true,
  metafile: true,
  logLevel: 'silent',
  alias: {
    '@guildkit/core': fromHere('../../../core/src/index.ts'),
    '@guildkit/gateway': fromHere('../../src/index.ts'),
  },
} as const satisfies BuildOptions;

/** A program for Node in one file. */
export function bundleForNode(entry: URL, outfile: string): Promise<BuildResult> {
  return build({
    ...COMMON,
    entryPoints: [fileURLToPath(entry)],
    outfile,
    platform: 'node',
    format: 'cjs',
  });
}

/** The package for a browser, as the global `gateway`. */
export function bundleForBrowser(): Promise<BuildResult<{ metafile: true; write: false }>> {
  return build({
    ...COMMON,
    entryPoints: [fromHere('../../src/index.ts')],
    platform: 'browser',
    format: 'iife',
    globalName: 'gateway',
    target: 'es2022',
    plugins: [browserPlatform],
    metafile: true,
    write: false,
  });
}
