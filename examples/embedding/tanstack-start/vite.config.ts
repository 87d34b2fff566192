import { tanstackStart } from '@tanstack/react-start/plugin/vite';
import { defineConfig } from 'vite';

/** The packages stay outside of the server's bundle: bundled, they would run twice, once for whoever starts the server. */
const SERVER_PACKAGES = ['@guildkit/core', '@guildkit/server-kit'];

export default defineConfig({
  plugins: [tanstackStart()],
  logLevel: 'error',
  oxc: { jsx: { runtime: 'automatic' } },
  ssr: { external: SERVER_PACKAGES, noExternal: ['react', 'react-dom', /^@tanstack\//, 'srvx'] },
  environments: {
    ssr: { build: { rolldownOptions: { input: { serve: 'src/serve.ts' }, output: { codeSplitting: false } } } },
  },
});
