import { readFile, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { runCommand } from '../../src/command.js';
import { RawClient } from '../support/gateway-client.js';

const get = (sandbox: Sandbox, ca: string | undefined, path = '/gateway') =>
  new Promise<{ url: string }>((resolve, reject) => {
    const sent = request(`${sandbox.connection.apiBase}${path}`, { ca, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(JSON.parse(text)));
    });
    sent.on('error', reject).end();
  });

test('https and wss with a certificate that a client can trust, and no other client does', async () => {
  await using sandbox = await createSandbox({ tls: true });
  const ca = sandbox.certificate;
  expect(sandbox.connection.apiBase).toMatch(/^https:\/\/127\.0\.0\.1:/);
  expect(await get(sandbox, ca)).toEqual({ url: sandbox.gatewayUrl });
  await expect(get(sandbox, undefined)).rejects.toThrow(/certificate/);

  const client = new RawClient(`${sandbox.gatewayUrl}?v=10`, new WebSocket(sandbox.gatewayUrl, { ca }));
  client.send({ op: 2, d: { token: sandbox.connection.token, intents: 1, properties: {} } });
  expect((await client.dispatch('READY')).d.resume_gateway_url).toBe(sandbox.gatewayUrl);
  await client.dispatch('GUILD_CREATE');
  sandbox.faults.halfFrame();
  await sandbox.channels.create({ name: 'half' });
  expect((await client.closed).code).toBe(1006);
  sandbox.faults.disturbRest({ answer: 'reset', count: 1 });
  await expect(get(sandbox, ca)).rejects.toThrow();
  expect(await get(sandbox, ca)).toEqual({ url: sandbox.gatewayUrl });
});

test('closing does not wait for a handshake that never ends', async () => {
  const sandbox = await createSandbox({ tls: true });
  const socket = connectTcp(Number(new URL(sandbox.gatewayUrl).port), '127.0.0.1');
  const ended = new Promise((resolve) => socket.on('error', resolve).on('close', resolve));
  await new Promise((resolve) => socket.once('connect', resolve));
  await get(sandbox, sandbox.certificate);
  await sandbox.close();
  await ended;
});

test('the command writes the certificate to a file', async () => {
  const file = join(tmpdir(), `guildkit-sandbox-${process.pid}.pem`);
  const errors: string[] = [];
  const run = (path: string): Promise<number> =>
    runCommand(['--port', '0', '--tls', path, '--json'], {
      out(text) {
        expect(JSON.parse(text).apiBase).toMatch(/^https:/);
      },
      err: (text) => errors.push(text),
      onStop: (stop) => stop(),
    });
  expect(await run(file)).toBe(0);
  expect(await readFile(file, 'utf8')).toContain('BEGIN CERTIFICATE');
  await rm(file);
  expect(await run(join(tmpdir(), 'no-such-folder', 'x.pem'))).toBe(1);
  expect(errors.join()).toContain('ENOENT');
});
