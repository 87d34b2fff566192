/**
 * What each subpath loads: followed from its `index.ts` through every import that is not of types alone. Nobody pays for a
 * part, or for a dependency, that they did not ask for.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const src = fileURLToPath(new URL('../../src/', import.meta.url));
const manifest = JSON.parse(readFileSync(join(src, '../package.json'), 'utf8')) as {
  exports: Record<string, unknown>;
  dependencies: Record<string, string>;
};
const subpaths = Object.keys(manifest.exports)
  .filter((key) => key !== './package.json')
  .map((key) => key.slice(2));

/** What each may load beside itself, `shared/` and `@guildkit/core`. Modules of Node are free. */
const MAY_LOAD: Readonly<Record<string, readonly string[]>> = {
  commands: ['zod'],
  hmac: ['zod'],
  http: [],
  hub: ['ws', 'zod', 'errors.ts'],
  invites: ['jose', 'zod'],
  jwt: ['jose', 'errors.ts'],
  link: ['ws', 'zod'],
  media: ['ws', 'zod'],
  oauth: ['jose', 'oauth4webapi', 'zod'],
  observability: ['pino', 'prom-client'],
  rooms: ['zod'],
};

const IMPORT = /^(?:import|export)\s+(?!type\b)([^;]*?)from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gms;

/** Specifiers that stay after types are gone. */
function importsOf(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(IMPORT)].flatMap(([, names, from, bare, lazy]) => {
    const list = names === undefined ? undefined : /^\{([^}]*)\}/s.exec(names.trim())?.[1];
    const onlyTypes = list?.split(',').every((name) => /^\s*(type\s|$)/.test(name));
    const specifier = from ?? bare ?? lazy;
    return onlyTypes || specifier === undefined ? [] : [specifier];
  });
}

function loads(subpath: string): { files: string[]; packages: string[] } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const queue = [join(src, subpath, 'index.ts')];
  for (const file of queue) {
    if (files.has(file)) continue;
    files.add(file);
    for (const specifier of importsOf(file)) {
      if (specifier.startsWith('.')) queue.push(join(dirname(file), specifier.replace(/\.js$/, '.ts')));
      else if (!specifier.startsWith('node:')) {
        packages.add(
          specifier
            .split('/')
            .slice(0, specifier.startsWith('@') ? 2 : 1)
            .join('/'),
        );
      }
    }
  }
  return { files: [...files].map((file) => relative(src, file)).sort(), packages: [...packages].sort() };
}

it('lists every folder that is a part', () => {
  const folders = readdirSync(src).filter((name) => existsSync(join(src, name, 'index.ts')));
  expect(folders.sort()).toEqual([...subpaths].sort());
});

it.each(subpaths)('%s loads nothing of the others that it does not need', (subpath) => {
  const allowed = MAY_LOAD[subpath];
  expect(allowed, `add ${subpath} to MAY_LOAD`).toBeDefined();
  const { files, packages } = loads(subpath);
  const strange = files.filter(
    (file) => !(file.startsWith(`${subpath}/`) || file.startsWith('shared/') || allowed?.includes(file)),
  );
  expect(strange).toEqual([]);
  expect(packages.filter((name) => name !== '@guildkit/core' && !allowed?.includes(name))).toEqual([]);
});

it('needs every dependency in some part', () => {
  const used = new Set(subpaths.flatMap((subpath) => loads(subpath).packages));
  expect(Object.keys(manifest.dependencies).filter((name) => !used.has(name))).toEqual([]);
});
