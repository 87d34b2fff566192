// What a player waits for: logging in, opening a room, following an invite into the voice channel. Through the browser.
import { ms, percentiles } from '../../lib/stats.mjs';
import { openStage } from '../stage.mjs';

/** Milliseconds that something takes. */
async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

export async function visits({ browser, runs = 20 }) {
  const stage = await openStage({ browser });
  const { discord, url, channelId } = stage;
  const hosts = await discord.createPeople({ count: runs, prefix: 'Host' });
  const guests = await discord.createPeople({ count: runs, prefix: 'Guest' });
  const times = { login: [], creation: [], arrival: [], join: [] };
  for (let n = 0; n < runs; n += 1) {
    const host = await stage.openPage();
    await host.goto(url);
    const isFirst = n === 0;
    const login = await timed(async () => {
      await host.getByRole('link', { name: 'Log in with Discord' }).click();
      await host.getByText(hosts[n].name, { exact: true }).click();
      await host.getByRole('button', { name: 'Authorize' }).click();
      await host.locator('[data-testid=viewer]').waitFor();
    });
    await host.locator('[data-testid=connection]', { hasText: 'Live' }).waitFor();
    await host.getByLabel('New room').fill(`Table ${n}`);
    const creation = await timed(async () => {
      await host.getByRole('button', { name: 'Create room' }).click();
      await host.getByRole('button', { name: 'Invite players' }).waitFor();
    });
    await host.getByRole('button', { name: 'Invite players' }).click();
    const link = await host.getByLabel('Invite link, good for a day').inputValue();

    const guest = await stage.openPage({ userId: guests[n].id });
    await discord.place({ userId: guests[n].id, channelId });
    let arrival;
    const join = await timed(async () => {
      arrival = await timed(async () => {
        void guest.goto(link).catch(() => {});
        const room = new URL(link).pathname.split('/').at(-1);
        while ((await discord.channelOf(guests[n].id)) !== room) await new Promise((resolve) => setTimeout(resolve, 5));
      });
      await guest.locator(`[data-testid=players] [data-user="${guests[n].id}"]`).waitFor();
    });
    await Promise.all([host, guest].map((page) => page.context().close()));
    // The first of each finds a cold server: said apart.
    if (isFirst) times.first = { login, creation, join };
    times.login.push(login);
    times.creation.push(creation);
    times.arrival.push(arrival);
    times.join.push(join);
  }
  await stage.close();
  const row = (what, values, bound) => {
    const { p50, p95, max } = percentiles(values);
    return `| ${what} | ${[p50, p95, max].map((value) => value.toFixed(0)).join(' | ')} | ${values.length} | ${bound} |`;
  };
  const { first } = times;
  return [
    'Each with a browser context of its own and an empty cache. Playwright’s own steps are in the figures. The first of each, on a',
    `server that has served nothing yet: ${ms(first.login)}, ${ms(first.creation)} and ${ms(first.join)} ms.`,
    '',
    '| ms | p50 | p95 | max | runs | bound |',
    '|---|---|---|---|---|---|',
    row('“Log in with Discord” → consent → one’s rooms', times.login, '1,000'),
    row('“Create room” → its page with the button for invites', times.creation, '3,000'),
    row('opening an invite → in the voice channel', times.arrival, '2,000'),
    row('opening an invite → one’s own name in the room’s list', times.join, '2,000'),
  ];
}
