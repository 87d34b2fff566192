/** The app as a process that is connected to Discord itself: stopped, killed, started again. Discord tells it what it missed. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { chromiumPath } from '@guildkit/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startFleet } from '../../scripts/fleet.mjs';
import { PATIENCE_MS } from './harness.js';

const APP = 'app-1';

// No browser is needed, but the built app is: it is there where there is one.
describe.skipIf(chromiumPath() === undefined)('one process, started again', () => {
  let directory: string;
  let sandbox: Sandbox;
  let fleet: Awaited<ReturnType<typeof startFleet>>;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'game-room-restart-'));
    sandbox = await createSandbox({ rateLimits: false });
    const { token, apiBase, guildId } = sandbox.connection;
    fleet = await startFleet({
      size: 1,
      respawn: false,
      env: {
        LOG_LEVEL: 'silent',
        DISCORD_BOT_TOKEN: token,
        DISCORD_API_BASE: apiBase,
        PRIMARY_GUILD_ID: guildId,
        DISCORD_CLIENT_ID: sandbox.oauth.clientId,
        DISCORD_CLIENT_SECRET: sandbox.oauth.clientSecret,
        SESSION_SECRET: 'a-session-secret-of-32-characters-or-more',
        STATE_DIRECTORY: join(directory, 'state'),
      },
    });
    await untilOk();
  });
  afterEach(async () => {
    await fleet?.close();
    await sandbox?.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function untilOk(): Promise<void> {
    await fleet.untilUp(APP);
    await expect.poll(async () => (await fleet.health(APP)).status, { timeout: PATIENCE_MS, interval: 20 }).toBe('ok');
  }

  async function startAgain(): Promise<void> {
    await fleet.start(APP);
    await untilOk();
  }

  /** How often this process was told of an event. */
  async function toldOf(event: string): Promise<number> {
    const page = await (await fetch(`${fleet.url}/metrics`)).text();
    return Number(new RegExp(`discord_events_total\\{event="${event}"\\} (\\d+)`).exec(page)?.[1] ?? 0);
  }

  /** Who is in voice, as a page is told that connects now. */
  async function listed(): Promise<string[]> {
    const viewer = await sandbox.people.create({ name: 'viewer' });
    const cookieOf = (response: Response): string =>
      (response.headers.getSetCookie().findLast((cookie) => !cookie.startsWith('game_room_app')) ?? '').split(
        ';',
        1,
      )[0] ?? '';
    const asked = await fetch(`${fleet.url}/auth/discord/login`, { redirect: 'manual' });
    const back = sandbox.oauth.approve(asked.headers.get('location') ?? '', viewer);
    const done = await fetch(back, { redirect: 'manual', headers: { cookie: cookieOf(asked) } });
    const stream = await fetch(`${fleet.url}/api/stream?rooms=channel:${sandbox.voiceChannelId}`, {
      headers: { cookie: cookieOf(done), origin: fleet.url },
    });
    let text = '';
    const decoder = new TextDecoder();
    for await (const part of stream.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(part, { stream: true });
      const snapshot = /"event":"sys.snapshot".*?"members":(\[.*?\])/.exec(text)?.[1];
      if (snapshot === undefined) continue;
      return (JSON.parse(snapshot) as { username: string }[]).map(({ username }) => username).sort();
    }
    throw new Error(`the stream ended: ${stream.status} ${text}`);
  }

  test('SIGTERM: the session is resumed, and no event is lost', async () => {
    const [mia, tom] = await Promise.all(['mia', 'tom'].map((name) => sandbox.people.create({ name })));
    if (mia === undefined || tom === undefined) throw new Error('nobody');
    await mia.joinVoice(sandbox.voiceChannelId);
    await expect.poll(() => toldOf('voice.joined'), { timeout: PATIENCE_MS }).toBe(1);
    await fleet.stop(APP);
    await tom.joinVoice(sandbox.voiceChannelId);
    await mia.leaveVoice();
    await tom.send(sandbox.voiceChannelId, 'hello?');

    await startAgain();
    expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 1 });
    expect(await Promise.all(['voice.joined', 'voice.left', 'message.created'].map(toldOf))).toEqual([1, 1, 1]);
    expect(await listed()).toEqual(['tom']);
    expect(await readdir(join(directory, 'state'))).not.toEqual([]);
  });

  test('SIGKILL: what happened meanwhile is told, what was told before is not missing', async () => {
    const [mia, tom] = await Promise.all(['mia', 'tom'].map((name) => sandbox.people.create({ name })));
    if (mia === undefined || tom === undefined) throw new Error('nobody');
    await mia.joinVoice(sandbox.voiceChannelId);
    await expect.poll(() => toldOf('voice.joined'), { timeout: PATIENCE_MS }).toBe(1);
    await fleet.kill(APP);
    await tom.joinVoice(sandbox.voiceChannelId);

    await startAgain();
    expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 1 });
    expect(await listed()).toEqual(['mia', 'tom']);
    await mia.leaveVoice();
    await expect.poll(() => toldOf('voice.left'), { timeout: PATIENCE_MS }).toBe(1);
    expect(await listed()).toEqual(['tom']);
  });
});
