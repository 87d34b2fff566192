/** What the tools know about the workspace: its root, its packages and their entries. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root, without a trailing slash. */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '');

/** Reads a JSON file; the path is relative to the root unless it is absolute. */
export function readJson(path) {
  return JSON.parse(readFileSync(path.startsWith('/') ? path : join(root, path), 'utf8'));
}

/** The folder that `--root` names, for a tool that is tried on a made-up workspace; else the workspace's own. */
export function rootOf(args) {
  const at = args.indexOf('--root');
  return at < 0 ? root : args[at + 1];
}

/** Every published package of a workspace, by name: folder, manifest and entries. */
export function packages(base = root) {
  return readdirSync(join(base, 'packages'))
    .filter((folder) => existsSync(join(base, 'packages', folder, 'package.json')))
    .sort()
    .map((folder) => {
      const dir = join(base, 'packages', folder);
      const manifest = readJson(join(dir, 'package.json'));
      return { folder, dir, manifest, name: manifest.name, entries: entriesOf(dir, manifest) };
    });
}

/** The code entries of a package: `./package.json` is none. */
function entriesOf(dir, manifest) {
  return Object.entries(manifest.exports ?? {})
    .filter(([subpath]) => subpath !== './package.json')
    .map(([subpath, { import: esm, require: cjs }]) => ({
      subpath,
      /** What a user writes after `import`. */
      specifier: subpath === '.' ? manifest.name : `${manifest.name}${subpath.slice(1)}`,
      /** `index`, `wire`, `wire-schema`: for the names of files about it. */
      label: subpath === '.' ? 'index' : subpath.slice(2).replaceAll('/', '-'),
      source: join(dir, 'src', esm.default.replace(/^\.\/dist\//, '').replace(/\.js$/, '.ts')),
      js: join(dir, esm.default),
      types: join(dir, esm.types),
      cjs: join(dir, cjs.default),
      cjsTypes: join(dir, cjs.types),
    }));
}

/** Every file below a folder that `keep` accepts; `node_modules`, `dist` and hidden folders are not entered. */
export function filesBelow(folder, keep) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      return entry.name === 'node_modules' || entry.name === 'dist' || entry.name.startsWith('.')
        ? []
        : filesBelow(path, keep);
    }
    return keep(path) ? [path] : [];
  });
}
