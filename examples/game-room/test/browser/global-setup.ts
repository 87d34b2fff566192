/** Builds the app before its browser tests, when it is not built already; says why they are skipped, when they are. */
import { chromiumPath, HOW_TO_GET_CHROMIUM } from '@guildkit/testkit';

export default async function setup(): Promise<void> {
  if (chromiumPath() === undefined) {
    if (process.env.CI === 'true') throw new Error(HOW_TO_GET_CHROMIUM);
    console.warn(`Browser tests are skipped. ${HOW_TO_GET_CHROMIUM}`);
    return;
  }
  // A build of one's own: whoever made it knows whether it is old.
  if (process.env.GAME_ROOM_DIST !== undefined) return;
  const { buildIfStale } = (await import(new URL('../../../../tools/app-build.mjs', import.meta.url).href)) as {
    buildIfStale(options: { log: (line: string) => void }): string[];
  };
  buildIfStale({ log: (line) => console.log(line) });
}
