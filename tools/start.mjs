// Builds what has changed and starts the reference app: npm start
import { buildIfStale } from './app-build.mjs';
import { whenNpmEnds } from './when-npm-ends.mjs';

try {
  buildIfStale({ log: (line) => console.log(line) });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

// In this process, not in a child: a signal that ends `npm start` reaches the app itself.
const { main } = await import(new URL('../examples/game-room/dist/server/serve.js', import.meta.url).href);
await main();
whenNpmEnds(() => process.kill(process.pid, 'SIGTERM'));
