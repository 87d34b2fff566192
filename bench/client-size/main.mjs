// What a page loads for a realtime client: each bundled, minified and gzipped in the same way by one bundler.
// Options: --dry (print, write nothing)
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { optionsOf } from '../lib/processes.mjs';
import { writeSection } from '../lib/report.mjs';

const { dry } = optionsOf(process.argv.slice(2));

/** What a page imports of each, and what it gets for it. */
const CLIENTS = [
  ['@guildkit/realtime-client', '{ RealtimeClient }', 'WebSocket; rooms, recovery by offset'],
  ['@guildkit/realtime-client', '{ RealtimeClient, createCommandQueue }', 'and commands'],
  ['@guildkit/realtime-client', '{ RealtimeClient, sseTransport, fallbackTransport }', 'WebSocket and SSE'],
  [
    '@guildkit/realtime-client',
    '{ RealtimeClient, createCommandQueue, sseTransport, fallbackTransport, sharedTransport }',
    'everything: commands, SSE, shared by tabs',
  ],
  ['reconnecting-websocket', '{ default as Client }', 'reconnects'],
  ['partysocket', '{ PartySocket }', 'reconnects, buffers'],
  ['phoenix', '{ Socket }', 'channels, presence, long polling'],
  ['socket.io-client', '{ io }', 'rooms on the server, acks, polling'],
  ['@supabase/realtime-js', '{ RealtimeClient }', 'channels, presence'],
  ['centrifuge', '{ Centrifuge }', 'channels, recovery, SSE and streams'],
  ['ably', '{ Realtime }', 'channels, presence, recovery, REST'],
];

const here = new URL('.', import.meta.url).pathname;
const rows = [];
for (const [name, imports, gives] of CLIENTS) {
  const { outputFiles } = await build({
    stdin: { contents: `export ${imports} from '${name}';`, resolveDir: here },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'error',
  });
  const [{ contents }] = outputFiles;
  rows.push({
    name,
    imports: imports.slice(2, -2).replace('default as Client', 'default'),
    gives,
    version: versionOf(name),
    minified: contents.length,
    gzipped: gzipSync(contents, { level: 9 }).length,
  });
  console.log(`  ${name.padEnd(26)} ${String(rows.at(-1).gzipped).padStart(6)} B  ${imports}`);
}

function versionOf(name) {
  if (name.startsWith('@guildkit/')) return '';
  const path = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return ` ${JSON.parse(readFileSync(path, 'utf8')).version}`;
}

const kB = (bytes) => (bytes / 1_000).toFixed(1);
const table = rows.map(
  ({ name, version, imports, gives, minified, gzipped }) =>
    `| ${name}${version} | \`${imports}\` | ${kB(minified)} | ${kB(gzipped)} | ${gives} |`,
);
const lines = [
  'Bundled and minified for browsers by esbuild, gzipped at level 9; 1 kB = 1,000 B. `npm run size` measures with another',
  'bundler, which makes the client some 240 B smaller, and gates it at 6 and 7.5 kB.',
  '',
  '| client | imports | minified kB | gzipped kB | what it gives |',
  '|---|---|---:|---:|---|',
  ...table,
];
if (dry) console.log(lines.join('\n'));
else await writeSection('client-size', 'What a page loads', 'npm run bench -- client-size', lines);
