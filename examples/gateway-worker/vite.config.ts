import { defineConfig } from 'vite';

/** One file that needs nothing beside it but Node: what is copied to a server is `dist/main.mjs`. */
export default defineConfig({
  ssr: { noExternal: true },
  build: {
    ssr: 'src/main.ts',
    target: 'node20',
    rolldownOptions: { output: { codeSplitting: false, entryFileNames: '[name].mjs' } },
  },
});
