/** Builds the packages and the reference app, each only when its sources have changed: `node tools/build.mjs`. */
import { buildIfStale } from './app-build.mjs';

try {
  const built = buildIfStale();
  console.log(built.length > 0 ? `built ${built.join(', ')}` : 'nothing has changed since the last build');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
