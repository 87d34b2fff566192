/** Owns what the tests of several processes stand on: the processes on a Redis and a sandbox of the test, pages kept at one of them. */
import type { Person, Sandbox } from '@guildkit/sandbox';
import { generatePrivateJwk } from '@guildkit/server-kit/jwt';
import type { Browser, Page } from 'playwright-core';
import type { TestRedis } from '../../../../packages/redis/test/support/redis-server.js';
import { startFleet } from '../../scripts/fleet.mjs';
import { PATIENCE_MS, untilLive, watchDoubles } from './harness.js';

/** What the load balancer keeps a browser at its process with. */
export const STICKY = 'game_room_app';

export type Fleet = Awaited<ReturnType<typeof startFleet>>;

export async function startMany(
  size: number,
  sandbox: Sandbox,
  redis: TestRedis,
  env: Readonly<Record<string, string>> = {},
): Promise<Fleet> {
  const { token, apiBase, guildId } = sandbox.connection;
  return startFleet({
    size,
    env: {
      LOG_LEVEL: 'silent',
      DISCORD_BOT_TOKEN: token,
      DISCORD_API_BASE: apiBase,
      PRIMARY_GUILD_ID: guildId,
      DISCORD_CLIENT_ID: sandbox.oauth.clientId,
      DISCORD_CLIENT_SECRET: sandbox.oauth.clientSecret,
      SESSION_SECRET: 'a-session-secret-of-32-characters-or-more',
      INVITE_SECRET: 'an-invite-secret-of-32-characters-or-more',
      JWT_PRIVATE_JWK: JSON.stringify(await generatePrivateJwk()),
      REDIS_URL: `unix://${redis.path}`,
      ...env,
    },
  });
}

/** A page of somebody who is logged in, kept at one of the processes. */
export async function pageAt(
  { browser, fleet, sandbox }: { readonly browser: Browser; readonly fleet: Fleet; readonly sandbox: Sandbox },
  id: string,
  person: Person,
): Promise<Page> {
  const cookieOf = (response: Response): string =>
    response.headers
      .getSetCookie()
      .findLast((cookie) => !cookie.startsWith(STICKY))
      ?.split(';', 1)[0] ?? '';
  const asked = await fetch(`${fleet.url}/auth/discord/login`, { redirect: 'manual' });
  const back = sandbox.oauth.approve(asked.headers.get('location') ?? '', person);
  // Begun at one process, ended at whichever is next.
  const done = await fetch(back, { redirect: 'manual', headers: { cookie: cookieOf(asked) } });
  const [name = '', value = ''] = cookieOf(done).split(/=(.*)/s);
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const common = { domain: 'localhost', path: '/', httpOnly: true, sameSite: 'Lax' } as const;
  await context.addCookies([
    { name, value, ...common },
    { name: STICKY, value: id, ...common },
  ]);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await watchDoubles(page);
  return page;
}

/** Its page of a room, live. */
export async function roomAt(
  where: Parameters<typeof pageAt>[0],
  id: string,
  person: Person,
  channelId: string = where.sandbox.voiceChannelId,
): Promise<Page> {
  const page = await pageAt(where, id, person);
  await page.goto(`${where.fleet.url}/room/${channelId}`);
  await untilLive(page);
  return page;
}
