/** What the specifications promise to players, seen in their browsers; docs/acceptance.md says which sentence each test shows. */
import { systemClock } from '@guildkit/core';
import type { Person, Sandbox } from '@guildkit/sandbox';
import { createDiscordOAuth, createSessions } from '@guildkit/server-kit/oauth';
import { chromiumPath } from '@guildkit/testkit';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Running } from '../../src/serve.js';
import {
  activityOf,
  createLine,
  doublesOf,
  type Line,
  launchBrowser,
  openPage,
  openRoom,
  PATIENCE_MS,
  startApp,
  untilConnection,
  untilLive,
  untilPlayers,
} from './harness.js';

const SESSION_SECRET = 'a-session-secret-of-32-characters-or-more';
const HOUR_MS = 3_600_000;

describe.skipIf(chromiumPath() === undefined)('players', () => {
  let browser: Browser;
  let running: Running;
  let line: Line;
  const contexts: BrowserContext[] = [];
  const sandbox = () => running.app.sandbox as Sandbox;
  const person = (name: string) => sandbox().people.create({ name });
  const keep = (page: Page): Page => {
    contexts.push(page.context());
    return page;
  };
  const view = async (channelId: string, who: { readonly id: string }, url = running.url) =>
    keep(await openRoom(browser, running, channelId, { url, person: who }));
  /** A room of the app with its creator in it. */
  const open = async (name: string) => {
    const host = await person(name);
    const room = await running.app.rooms.create({ creatorId: host.id, name: `${name}s table` });
    return { ...room, host };
  };
  const personNamed = (name: string): Person =>
    sandbox()
      .people.list()
      .find((each) => each.name === name) as Person;

  beforeAll(async () => {
    browser = await launchBrowser();
    running = await startApp();
    line = await createLine(running.server);
  });
  afterEach(async () => {
    sandbox().faults.clear();
    await Promise.all(contexts.splice(0).map((context) => context.close()));
    await vi.waitFor(() => expect(running.app.hub.stats().connections).toBe(0), { timeout: PATIENCE_MS });
  });
  afterAll(async () => {
    await browser?.close();
    await line?.close();
    await running?.close();
  });

  test('ten viewers see the same in the same order, and one whose line stands still holds up nobody', async () => {
    const { id: channelId } = await sandbox().channels.create({ name: 'Ten' });
    const viewers = await Promise.all(Array.from({ length: 10 }, (_, at) => person(`Viewer ${at}`)));
    const pages = await Promise.all(
      viewers.map((viewer, at) => view(channelId, viewer, at === 0 ? line.url : running.url)),
    );
    const [slow, ...others] = pages as [Page, ...Page[]];
    const people = await Promise.all(['Ada', 'Bo', 'Cy', 'Di'].map(person));
    const [ada, bo, cy, di] = people as [Person, Person, Person, Person];

    await ada.joinVoice(channelId);
    await Promise.all(pages.map((page) => untilPlayers(page, ['Ada'])));

    line.stall();
    await bo.joinVoice(channelId);
    await cy.joinVoice(channelId);
    await bo.leaveVoice();
    await bo.joinVoice(channelId);
    await ada.leaveVoice();
    await di.joinVoice(channelId);
    const story = ['Ada joined', 'Bo joined', 'Cy joined', 'Bo left or was removed', 'Bo joined'];
    const whole = [...story, 'Ada left or was removed', 'Di joined'];
    await Promise.all(others.map((page) => untilPlayers(page, ['Cy', 'Bo', 'Di'])));
    for (const page of others) expect(await activityOf(page)).toEqual(whole);
    expect(await activityOf(slow)).toEqual(['Ada joined']);

    line.flow();
    await untilPlayers(slow, ['Cy', 'Bo', 'Di']);
    expect(await activityOf(slow)).toEqual(whole);
    for (const page of pages) expect(await doublesOf(page)).toEqual([]);
  });

  test('one of two who lost the connection comes back to the list of now, and the other notices nothing', async () => {
    const { id: channelId } = await sandbox().channels.create({ name: 'Two' });
    const lost = await view(channelId, await person('Lost'), line.url);
    const other = await view(channelId, await person('Other'));
    const states: string[] = [];
    await other.exposeFunction('noteState', (label: string) => void states.push(label));
    await other.evaluate(() => {
      const mark = document.querySelector('[data-testid=connection]') as HTMLElement;
      const note = () => (window as unknown as { noteState(label: string): void }).noteState(mark.textContent ?? '');
      new MutationObserver(note).observe(mark, { subtree: true, characterData: true, childList: true });
    });
    line.cut();
    await untilConnection(lost, 'Reconnecting');
    await (await person('Eli')).joinVoice(channelId);
    await untilPlayers(other, ['Eli']);
    line.mend();
    await untilPlayers(lost, ['Eli']);
    await untilLive(lost);
    expect(states).toEqual([]);
  });

  test('a join that fails says so, and works when it is tried again', async () => {
    const { channelId, invite } = await open('Hal');
    const guest = keep(await openPage(browser, running, await person('Ivy')));
    sandbox().faults.disturbRest({ answer: 403, method: 'PUT', path: '/guilds' });
    await guest.goto(`${running.url}/join/${channelId}?invite=${invite}`);
    await guest.getByRole('heading', { name: 'You could not join' }).waitFor();
    await guest.getByRole('alert').getByText('Discord did not let you in').waitFor();
    sandbox().faults.clear();
    await guest.getByRole('button', { name: 'Try again' }).click();
    await guest.getByRole('heading', { name: 'Hals table' }).waitFor();
    expect((await running.app.rooms.get(channelId))?.holders).toContain(personNamed('Ivy').id);
  });

  test('who is removed from voice by a moderator is asked, and comes back by "Rejoin"', async () => {
    const { host, channelId } = await open('Jan');
    const page = await view(channelId, host);
    await host.joinVoice(channelId);
    await untilPlayers(page, ['Jan']);
    const { apiBase, guildId, token } = sandbox().connection;
    const removed = await fetch(`${apiBase}/guilds/${guildId}/members/${host.id}`, {
      method: 'PATCH',
      headers: { authorization: `Bot ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ channel_id: null }),
    });
    expect(removed.status).toBe(200);
    const dialog = page.getByRole('dialog', { name: 'You are no longer in voice' });
    await dialog.getByRole('button', { name: 'Rejoin' }).click();
    await untilPlayers(page, ['Jan']);
    await dialog.waitFor({ state: 'hidden' });
  });

  test('who comes through Discord alone is listed and counted, and has no session here', async () => {
    const { host, channelId } = await open('Kim');
    const page = await view(channelId, host);
    const stranger = await person('Never logged in');
    await running.app.rooms.join({ channelId, userId: stranger.id });
    const { logins } = running.app.login.sessions.stats();
    await stranger.joinVoice(channelId);
    await untilPlayers(page, ['Never logged in']);
    await page.getByText('1 person in voice').waitFor();
    await stranger.setMute(true);
    await page.getByRole('list', { name: 'People in voice' }).getByText('Muted').waitFor();
    await stranger.leaveVoice();
    await page.locator('[data-testid=empty]').waitFor();
    expect(running.app.login.sessions.stats().logins).toBe(logins);
  });

  test('without an invite there is no way in: Discord, pages, the connection and invites say no', async () => {
    const { channelId } = await open('Lea');
    const stranger = await person('Mo');
    await expect(stranger.joinVoice(channelId)).rejects.toThrow();
    const page = keep(await openPage(browser, running, stranger));
    const response = await page.goto(`${running.url}/room/${channelId}`);
    expect(response?.status()).toBe(404);
    await page.getByRole('heading', { name: 'There is no such room' }).waitFor();
    expect(await page.content()).not.toContain('Leas table');
    // What the connection itself says: the page is not asked whether it may.
    const answer = await page.evaluate(
      (room) =>
        new Promise<string>((resolve) => {
          const socket = new WebSocket('/api/ws');
          socket.onmessage = ({ data }) => {
            const frame = JSON.parse(data) as { re?: string; type: string; payload: { code?: string } };
            if (frame.re === 's') resolve(`${frame.type} ${frame.payload.code}`);
          };
          socket.onopen = () => socket.send(JSON.stringify({ v: 1, type: 'subscribe', id: 's', payload: { room } }));
        }),
      `channel:${channelId}`,
    );
    expect(answer).toBe('error ERR_HUB_ROOM_FORBIDDEN');
    await page.goto(`${running.url}/join/${channelId}`);
    await page.getByRole('heading', { name: 'You could not join' }).waitFor();
    expect((await running.app.rooms.get(channelId))?.holders).not.toContain(stranger.id);
  });

  /** Every connection for events that a page opens from now on. */
  const watchConnections = (page: Page) => {
    const opened: string[] = [];
    page.on('websocket', (socket) => opened.push(`ws ${new URL(socket.url()).pathname}`));
    page.on('request', (request) => {
      const { pathname } = new URL(request.url());
      if (pathname === '/api/stream') opened.push(`sse ${pathname}`);
    });
    return opened;
  };

  test('a page has one connection for everything, through every page of the app', async () => {
    const { host, channelId } = await open('Nia');
    const page = keep(await openPage(browser, running, host));
    const opened = watchConnections(page);
    await page.goto(running.url);
    await page.getByRole('link', { name: 'Nias table' }).click();
    await untilLive(page);
    await host.joinVoice(channelId);
    await untilPlayers(page, ['Nia']);
    await page.getByLabel('Message', { exact: true }).fill('One line');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.locator('.message-text', { hasText: 'One line' }).waitFor();
    await page.getByRole('link', { name: 'All rooms' }).click();
    await page.getByRole('link', { name: 'Nias table' }).getByText('1 person in voice').waitFor();
    await page.goBack();
    await untilPlayers(page, ['Nia']);
    expect(opened).toEqual(['ws /api/ws']);
    expect(running.app.hub.stats().connections).toBe(1);
  });

  test('where no WebSocket comes through, one event stream carries everything, and commands are posted', async () => {
    const { host, channelId } = await open('Ole');
    const page = keep(await openPage(browser, running, host));
    // As behind a proxy that knows no upgrades: the answer is an HTTP status.
    await page.addInitScript(() => {
      const Real = WebSocket;
      window.WebSocket = class extends Real {
        constructor(url: string | URL, protocols?: string | string[]) {
          super(String(url).replace('/api/ws', '/api/nowhere'), protocols);
        }
      };
    });
    const posted: number[] = [];
    page.on('response', (response) => {
      if (new URL(response.url()).pathname === '/api/commands') posted.push(response.status());
    });
    const opened = watchConnections(page);
    await page.goto(`${running.url}/room/${channelId}`);
    await untilLive(page);
    await host.joinVoice(channelId);
    await untilPlayers(page, ['Ole']);
    await page.getByLabel('Message', { exact: true }).fill('By post');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.locator('.message-text', { hasText: 'By post' }).waitFor();
    await host.leaveVoice();
    await page.getByRole('dialog', { name: 'You are no longer in voice' }).waitFor();
    expect(posted).toContain(200);
    expect(opened.at(-1)).toBe('sse /api/stream');
    expect(running.app.hub.stats().connections).toBe(1);
  });

  test.each([
    [502, 'ERR_COMMAND_LINK_DOWN', undefined, 'Discord cannot be reached at the moment'],
    [503, 'ERR_COMMAND_QUEUE_FULL', undefined, 'Too much is waiting for Discord'],
    [429, 'ERR_COMMAND_RATE_LIMITED', 2_000, 'Try again in 2 s'],
  ])(
    'a command that is refused with %i is told as a sentence, and nothing is lost',
    async (status, code, retryAfterMs, says) => {
      const { host, channelId } = await open('Pia');
      const page = keep(await openPage(browser, running, host));
      // As the hub says it; when it does is shown where the bus is tested.
      await page.routeWebSocket(/\/api\/ws/, (socket) => {
        const server = socket.connectToServer();
        socket.onMessage((message) => {
          const { type, id, payload } = JSON.parse(String(message)) as {
            type: string;
            id: string;
            payload: { name?: string };
          };
          if (type !== 'command' || payload.name !== 'sendMessage') return server.send(message);
          const refusal = { code, message: 'no', status, ...(retryAfterMs !== undefined && { retryAfterMs }) };
          socket.send(
            JSON.stringify({ v: 1, type: 'error', event: 'command', payload: refusal, ts: Date.now(), re: id }),
          );
        });
      });
      await page.goto(`${running.url}/room/${channelId}`);
      await untilLive(page);
      const field = page.getByLabel('Message', { exact: true });
      await field.fill('Hello?');
      await page.getByRole('button', { name: 'Send' }).click();
      await page.getByRole('alert').getByText(says).waitFor();
      expect(await field.inputValue()).toBe('Hello?');
    },
  );
});

describe.skipIf(chromiumPath() === undefined)('a session', () => {
  let browser: Browser;
  let running: Running;
  let line: Line;
  const sandbox = () => running.app.sandbox as Sandbox;

  beforeAll(async () => {
    browser = await launchBrowser();
    // The line first, because its address is the app's: origins and the way back from the login go by it.
    line = await createLine({ address: () => running.server.address() });
    running = await startApp({ SESSION_SECRET, VITE_BASE_URL: line.url });
  });
  afterAll(async () => {
    await browser?.close();
    await line?.close();
    await running?.close();
  });

  /** A session that ran out an hour ago, as its cookie and as the tokens in it. */
  async function oldSession(who: { readonly id: string }) {
    const { connection, oauth } = sandbox();
    const { url } = running;
    const discord = createDiscordOAuth({
      clientId: oauth.clientId,
      clientSecret: oauth.clientSecret,
      apiBase: connection.apiBase,
      redirectUri: `${url}/auth/discord/callback`,
    });
    const clock = { ...systemClock, wallTime: () => Date.now() - 2 * HOUR_MS };
    const sessions = createSessions({ oauth: discord, secrets: SESSION_SECRET, origin: url, clock });
    const cookieOf = (response: Response): string => response.headers.getSetCookie().at(-1)?.split(';', 1)[0] ?? '';
    const begun = await sessions.loginHandler(new Request(`${url}/auth/discord/login`));
    const back = oauth.approve(begun.headers.get('location') ?? '', who);
    const cookie = cookieOf(
      await sessions.callbackHandler(new Request(back, { headers: { cookie: cookieOf(begun) } })),
    );
    const session = await sessions.read({ headers: new Headers({ cookie }) });
    if (session === null) throw new Error('nobody is logged in');
    const [name = '', value = ''] = cookie.split(/=(.*)/s);
    const cookies = ['127.0.0.1', 'localhost'].map((domain) => ({ name, value, domain, path: '/', httpOnly: true }));
    return { cookies, revoke: () => discord.revoke(session.refreshToken) };
  }

  /** Somebody in a room of theirs, whose session has run out since the page was opened. */
  async function sit(name: string) {
    const host = await sandbox().people.create({ name });
    const { channelId } = await running.app.rooms.create({ creatorId: host.id, name: `${name}s table` });
    const page = await openRoom(browser, running, channelId, { person: host });
    const old = await oldSession(host);
    await page.context().addCookies(old.cookies);
    return { page, channelId, ...old };
  }

  test('that runs out in a room is renewed unseen', async () => {
    const { page, cookies, channelId } = await sit('Fay');
    const { refreshes } = running.app.login.sessions.stats();
    line.cut();
    await untilConnection(page, 'Reconnecting');
    line.mend();
    await untilLive(page);
    expect(running.app.login.sessions.stats().refreshes).toBe(refreshes + 1);
    const now = await page.context().cookies(line.url);
    expect(now.map(({ value }) => value)).not.toContain(cookies[0]?.value);
    expect(new URL(page.url()).pathname).toBe(`/room/${channelId}`);
  });

  test('that cannot be renewed leads to the login, and from there back into the room', async () => {
    const { page, revoke, channelId } = await sit('Gus');
    await revoke();
    line.cut();
    await untilConnection(page, 'Reconnecting');
    line.mend();
    await page.waitForURL(/oauth2\/authorize/);
    await page.getByText('Gus', { exact: true }).click();
    await page.getByRole('button', { name: 'Authorize' }).click();
    await page.getByRole('heading', { name: 'Guss table' }).waitFor();
    expect(new URL(page.url()).pathname).toBe(`/room/${channelId}`);
    await untilLive(page);
  });
});
