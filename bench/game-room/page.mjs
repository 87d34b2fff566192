/** What runs in the page, and how its clock relates to ours. */
import { nowMs } from '../lib/stats.mjs';

/**
 * Before the page's own scripts. Stamps each change of the list of players: when it is in the DOM, when the frame that shows
 * it was drawn. Keeps whoever ever stood there twice, and what the page said of its connection.
 */
export function watchPlayers() {
  const now = () => performance.timeOrigin + performance.now();
  const watch = { now, changes: [], states: [], doubles: 0 };
  window.watch = watch;
  let before = new Set();
  let last = '';
  let undrawn = [];
  const drawn = new MessageChannel();
  drawn.port1.onmessage = () => {
    const at = now();
    for (const change of undrawn) change.drawnAt = at;
    undrawn = [];
  };
  new MutationObserver(() => {
    const at = now();
    const shown = [...document.querySelectorAll('[data-testid=players] [data-user]')].map(
      ({ dataset }) => dataset.user,
    );
    const after = new Set(shown);
    if (after.size < shown.length) watch.doubles += 1;
    const changes = [
      ...[...after].filter((userId) => !before.has(userId)).map((userId) => ({ userId, event: 'voice.joined', at })),
      ...[...before].filter((userId) => !after.has(userId)).map((userId) => ({ userId, event: 'voice.left', at })),
    ];
    before = after;
    const isLive = document.querySelector('[data-testid=connection]')?.textContent === 'Live';
    const users = shown.sort().join();
    if (`${isLive} ${users}` !== last) watch.states.push({ at, isLive, users });
    last = `${isLive} ${users}`;
    if (changes.length === 0) return;
    watch.changes.push(...changes);
    if (undrawn.length === 0) requestAnimationFrame(() => drawn.port2.postMessage(0));
    undrawn.push(...changes);
  }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
}

/** How far the page's clock is from ours, and how sure that is: half the shortest round trip. */
export async function clockOf(page, rounds = 100) {
  let best = { offset: 0, error: Number.POSITIVE_INFINITY };
  for (let i = 0; i < rounds; i += 1) {
    const before = nowMs();
    const there = await page.evaluate(() => window.watch.now());
    const after = nowMs();
    if ((after - before) / 2 < best.error) best = { offset: there - (before + after) / 2, error: (after - before) / 2 };
  }
  return best;
}

/** Opens a room's page and waits until it is live. */
export async function openRoom(page, url, channelId) {
  await page.goto(`${url}/room/${channelId}`);
  await page.locator('[data-testid=connection]', { hasText: 'Live' }).waitFor();
  await page.locator('[data-testid=count]', { hasText: /in voice$/ }).waitFor();
}
