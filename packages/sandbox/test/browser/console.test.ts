import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants, inflateSync } from 'node:zlib';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { CHROMIUM_FLAGS, chromiumPath, HOW_TO_GET_CHROMIUM } from '@guildkit/testkit';
import type { AxeResults } from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { speakDave } from '../support/dave-client.js';
import { seat, VoiceClient } from '../support/voice-client.js';

const executablePath = chromiumPath();
if (executablePath === undefined && process.env.CI === 'true') throw new Error(HOW_TO_GET_CHROMIUM);
if (executablePath === undefined) console.warn(`Skipped: the console's tests. ${HOW_TO_GET_CHROMIUM}`);

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

describe.skipIf(executablePath === undefined)('console', () => {
  let browser: Browser;
  let sandbox: Sandbox;
  let page: Page;
  const errors: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath as string, args: CHROMIUM_FLAGS });
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    sandbox = await createSandbox({ seed: 1 });
    errors.length = 0;
    page = await open('light');
  });
  afterEach(async () => {
    await page.close();
    await sandbox.close();
    expect(errors).toEqual([]);
  });

  async function open(colorScheme: 'light' | 'dark', width = 1280): Promise<Page> {
    const opened = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
    opened.on('pageerror', (error) => errors.push(error.message));
    await opened.goto(sandbox.consoleUrl);
    await opened.getByRole('status').getByText('Live').waitFor();
    return opened;
  }

  const person = (name: string) =>
    page
      .getByRole('listitem')
      .filter({ has: page.getByText(name, { exact: true }) })
      .first();

  test('a person is added, joins voice, mutes, moves and is disconnected', async () => {
    await page.getByRole('textbox', { name: 'Name' }).first().fill('Mia');
    await page.getByRole('button', { name: 'Add person' }).click();
    const where = page.getByRole('combobox', { name: 'Voice channel of Mia' });
    await where.selectOption({ label: 'in General' });
    await page.getByText('1 of 1 in voice').waitFor();
    const [mia] = sandbox.people.list();
    expect(mia?.channelId).toBe(sandbox.voiceChannelId);

    await person('Mia').getByRole('button', { name: 'Mute' }).click();
    await page.getByRole('button', { name: 'Mute', pressed: true }).waitFor();
    expect(mia?.voice).toEqual({ mute: true, deaf: false, video: false });

    const shown = page.getByRole('combobox', { name: 'Status of Mia' });
    expect(await shown.inputValue()).toBe('offline');
    await shown.selectOption('idle');
    await vi.waitFor(() => expect(mia?.status).toBe('idle'));

    const other = await sandbox.channels.create({ name: 'Table 1' });
    await where.getByText('in Table 1').waitFor({ state: 'attached' });
    await where.selectOption({ label: 'in Table 1' });
    await vi.waitFor(() => expect(mia?.channelId).toBe(other.id));
    await page.getByRole('button', { name: 'Disconnect' }).click();
    await page.getByText('0 of 1 in voice').waitFor();
    expect(mia?.channelId).toBeNull();
  });

  test('a message is sent as a person and shown as text, markup and all', async () => {
    await sandbox.people.create({ name: 'Tom' });
    await page.getByRole('button', { name: 'Chat' }).first().click();
    await page.getByRole('combobox', { name: 'As' }).selectOption({ label: 'Tom' });
    await page.getByRole('textbox', { name: 'Message' }).fill('<img src=x onerror=alert(1)> hello');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('<img src=x onerror=alert(1)> hello').waitFor();
    expect(await page.locator('#messages img').count()).toBe(0);
    expect(sandbox.channels.messages(sandbox.textChannelId).map(({ authorName }) => authorName)).toEqual(['Tom']);
  });

  test('a fault happens, is logged, and one that lasts shows until it is ended', async () => {
    const socket = new WebSocket(`${sandbox.gatewayUrl}/?v=10&encoding=json`);
    const closed = new Promise<number>((resolve) => socket.on('close', resolve));
    await new Promise((resolve) => socket.once('message', resolve));
    await page.getByRole('spinbutton', { name: 'Close code' }).fill('4000');
    await page.getByRole('button', { name: 'Close with' }).click();
    expect(await closed).toBe(4000);
    await page.getByRole('row').filter({ hasText: 'fault' }).first().waitFor();

    await page.getByRole('button', { name: 'Down', exact: true }).click();
    await page.getByRole('button', { name: 'Down', exact: true, pressed: true }).waitFor();
    const refused = await new Promise<string>((resolve) =>
      new WebSocket(`${sandbox.gatewayUrl}/?v=10&encoding=json`).on('error', (error) => resolve(error.message)),
    );
    expect(refused).toContain('503');
    await page.getByRole('button', { name: 'End all' }).click();
    await page.getByRole('button', { name: 'Down', exact: true, pressed: false }).waitFor();
    const accepted = new WebSocket(`${sandbox.gatewayUrl}/?v=10&encoding=json`);
    await new Promise((resolve) => accepted.once('message', resolve));
    accepted.terminate();
  });

  const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
  const isOn = (name: string, pressed: boolean, where = page) =>
    where.getByRole('button', { name, exact: true, pressed }).waitFor();
  const socket = (compress = '') => new WebSocket(`${sandbox.gatewayUrl}/?v=10&encoding=json${compress}`);
  const message = (of: WebSocket) =>
    new Promise<Buffer>((resolve) => of.once('message', (data) => resolve(data as Buffer)));

  test('connections are refused with the status that was chosen, until that is ended', async () => {
    await page.getByRole('spinbutton', { name: 'HTTP status of the refusal' }).fill('418');
    await press('Refuse with');
    await isOn('Refuse with', true);
    const refused = await new Promise<string>((resolve) => socket().on('error', (error) => resolve(error.message)));
    expect(refused).toContain('418');
    await press('Refuse with');
    await isOn('Refuse with', false);
    const accepted = socket();
    await message(accepted);
    accepted.terminate();
  });

  test('voice: a person speaks and shows, a bot’s packets are counted and lost', async () => {
    const anna = await sandbox.people.create({ name: 'Anna' });
    await anna.joinVoice(sandbox.voiceChannelId);
    const { ticket } = await seat(sandbox);
    const client = VoiceClient.to(ticket);
    speakDave(client);
    client.identify({ max_dave_protocol_version: 1 });
    await client.select();
    await page.getByText('Voice sessions of bots').waitFor();
    await press('Speak');
    await isOn('Speak', true);
    await client.message(({ op, d }) => op === 5 && d.user_id === anna.id && d.speaking === 1);
    await press('Show video');
    await isOn('Show video', true);
    await press('Blackout');
    await isOn('Blackout', true);
    await page.getByText(/dropped: \d+ blackout/).waitFor();
    await press('Blackout');
    await isOn('Blackout', false);
    await press('Speak');
    await isOn('Speak', false);
    expect([anna.speaking, anna.showing === undefined]).toEqual([undefined, false]);
    await press('Cut voice');
    await page.getByText('waits for Resume').waitFor();
    client.end();
  });

  test('HELLO is withheld', async () => {
    await press('Withhold HELLO');
    await isOn('Withhold HELLO', true);
    const silent = socket();
    await new Promise((resolve) => silent.once('open', resolve));
    silent.send('{"op":1,"d":null}');
    // The first that comes is the answer to that.
    expect(JSON.parse(String(await message(silent)))).toMatchObject({ op: 11 });
    silent.terminate();
  });

  test('opcode 1 is sent, a compressed message is spoilt, sessions are forgotten', async () => {
    const client = socket('&compress=zlib-stream');
    const bytes: Buffer[] = [];
    const inflated = () => inflateSync(Buffer.concat(bytes), { finishFlush: constants.Z_SYNC_FLUSH }).toString();
    const next = async () => bytes.push(await message(client));
    await next();
    client.send(JSON.stringify({ op: 2, d: { token: sandbox.connection.token, intents: 0, properties: {} } }));
    await next();
    await Promise.all([next(), press('Heartbeat')]);
    const read = inflated();
    expect(read).toMatch(/"op":1[,}][^{]*$/);
    await press('Corrupt');
    await page.getByRole('row').filter({ hasText: 'corrupt compression' }).waitFor();
    await Promise.all([next(), press('Heartbeat')]);
    expect(inflated).toThrow();
    client.terminate();

    await vi.waitFor(() => expect(sandbox.traffic.counters.gatewayOpen).toBe(0));
    await press('Forget sessions');
    await page.getByRole('row').filter({ hasText: 'forget sessions' }).waitFor();
    const again = socket();
    await message(again);
    const resume = { token: sandbox.connection.token, session_id: /"session_id":"(\w+)"/.exec(read)?.[1], seq: 1 };
    again.send(JSON.stringify({ op: 6, d: resume }));
    expect(JSON.parse(String(await message(again)))).toMatchObject({ op: 9, d: false });
    again.terminate();
  });

  test('what lasts is shown by every page, and by one that is opened later', async () => {
    await press('Stop ACKs');
    sandbox.faults.disturbRest({ answer: 500 });
    const second = await open('light');
    await isOn('Stop ACKs', true, second);
    await second.getByText('1 waiting for REST requests').waitFor();
    await second.getByRole('button', { name: 'End all' }).click();
    await isOn('Stop ACKs', false);
    await second.close();
  });

  test('a refusal is said in words', async () => {
    const channel = await sandbox.channels.create({ name: 'Small', userLimit: 1 });
    await (await sandbox.people.create({ name: 'Mia' })).joinVoice(channel.id);
    await sandbox.people.create({ name: 'Tom' });
    const where = page.getByRole('combobox', { name: 'Voice channel of Tom' });
    await where.getByText('in Small').waitFor({ state: 'attached' });
    await where.selectOption({ label: 'in Small' });
    await page.getByRole('alert').getByText('is full').waitFor();
  });

  test('neither token nor secret is in the page or its requests', async () => {
    const bodies: string[] = [];
    page.on('response', async (response) => bodies.push(await response.text().catch(() => '')));
    const response = await fetch(`${sandbox.connection.apiBase}/users/@me`, {
      headers: { authorization: `Bot ${sandbox.connection.token}` },
    });
    expect(response.status).toBe(200);
    await page.getByText('/users/@me 200').waitFor();
    await vi.waitFor(() => expect(bodies.some((body) => body.includes('/users/@me'))).toBe(true));
    expect(`${bodies.join()}${await page.content()}`).not.toContain(sandbox.connection.token);
  });

  test.each(['light', 'dark'] as const)(
    'axe finds no fault in the %s scheme, and a narrow window does not scroll sideways',
    async (scheme) => {
      await (await sandbox.people.create({ name: 'Mia' })).joinVoice(sandbox.voiceChannelId);
      const shown = await open(scheme, 390);
      await shown.getByText('1 of 1 in voice').waitFor();
      await shown.getByRole('button', { name: 'Chat' }).first().click();
      await shown.getByText('No messages yet.').waitFor();
      // Run in a world of its own: the page's policy lets no foreign script in.
      const session = await shown.context().newCDPSession(shown);
      const { frameTree } = await session.send('Page.getFrameTree');
      const { executionContextId } = await session.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id });
      await session.send('Runtime.evaluate', { expression: axeSource, contextId: executionContextId });
      const { result } = await session.send('Runtime.evaluate', {
        expression: 'axe.run()',
        contextId: executionContextId,
        awaitPromise: true,
        returnByValue: true,
      });
      const { violations } = result.value as AxeResults;
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`)).toEqual([]);
      expect(await shown.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
      await shown.close();
    },
  );
});
