import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import { tanstackStart } from '@tanstack/react-start/plugin/vite';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/**
 * Bundled, they would run twice: once inside the server's bundle, once from node_modules for whoever else asks. Then two
 * `GuildkitError` classes exist, and two of every registry.
 */
const SERVER_PACKAGES = ['core', 'gateway', 'redis', 'rest', 'rtc', 'sandbox', 'server-kit'].map(
  (name) => `@guildkit/${name}`,
);
/** React and all that calls its hooks go into one bundle: one React, and its fast build whatever NODE_ENV is at run time. */
const RENDERING = ['react', 'react-dom', /^@tanstack\//, '@guildkit/realtime-client'];

/** Under `vite dev` nothing calls `serve.ts`: this gives the development server its app, and the hub its upgrades. */
function devApp(): Plugin {
  return {
    name: 'game-room:dev-app',
    apply: 'serve',
    async configureServer(server) {
      const { attachDevApp } = await server.ssrLoadModule('/src/server/dev.ts');
      await attachDevApp(server.httpServer);
    },
  };
}

/** Each file of the browser as it goes over the wire: packed once, as small as it gets, not at each request. */
function packedFiles(): Plugin {
  const PACKED = [
    { ending: '.br', pack: promisify<Buffer, Buffer>(brotliCompress) },
    { ending: '.gz', pack: promisify<Buffer, Buffer>(gzip) },
  ];
  return {
    name: 'game-room:packed-files',
    apply: 'build',
    applyToEnvironment: ({ name }) => name === 'client',
    async writeBundle({ dir = '' }, bundle) {
      const files = Object.keys(bundle).filter((file) => /\.(?:js|css|svg)$/.test(file));
      for (const file of files) {
        const content = await readFile(join(dir, file));
        for (const { ending, pack } of PACKED) await writeFile(join(dir, file + ending), await pack(content));
      }
    },
  };
}

export default defineConfig(({ command }) => ({
  plugins: [tanstackStart(), react(), devApp(), packedFiles()],
  // In development nothing is bundled for the server: everybody takes React from node_modules.
  ssr: command === 'build' ? { external: SERVER_PACKAGES, noExternal: RENDERING } : { external: SERVER_PACKAGES },
  environments: {
    client: {
      build: {
        rolldownOptions: {
          // What several pages use is one file, but for media: a dozen requests of a few hundred bytes take longer.
          output: {
            codeSplitting: {
              groups: [{ name: 'shared', test: /^(?!.*realtime-client.dist.media)/, minShareCount: 2 }],
            },
          },
        },
      },
    },
    ssr: {
      build: {
        rolldownOptions: {
          input: { serve: 'src/serve.ts' },
          // One file, read at the start: a server that loads its parts when they are first asked for fails on those that a
          // new build has replaced meanwhile.
          output: { codeSplitting: false },
        },
      },
    },
  },
  // Elsewhere when another build is in use: a server that runs from a build does not survive its replacement.
  build: { sourcemap: false, outDir: process.env.GAME_ROOM_DIST ?? 'dist' },
}));
