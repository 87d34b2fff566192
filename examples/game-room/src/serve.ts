/**
 * Owns the process: settings, the app, the listening server, the stop. This is what `node dist/server/serve.js` runs.
 */
import { realpathSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { messageOf } from '@guildkit/core';
import { type App, createApp } from './server/app.js';
import { createAppLogger } from './server/logger.js';
import { readSettings, type Settings, SettingsError } from './server/settings.js';
import { createWebServer } from './server/web.js';
import entry from './server.js';

/** The build puts this file into dist/server, beside dist/client. */
const CLIENT_DIR = fileURLToPath(new URL('../client', import.meta.url));

/** A server that answers. */
export interface Running {
  readonly url: string;
  readonly app: App;
  readonly server: Server;
  readonly settings: Settings;
  /** Stops taking requests, drains the hub, ends the gateway connection and the sandbox. */
  close(): Promise<void>;
}

/**
 * Starts the app and listens.
 *
 * @param env Settings by name, as in `process.env`.
 * @throws SettingsError when a setting is missing or malformed.
 */
export async function serve(env: Readonly<Record<string, string | undefined>>): Promise<Running> {
  const settings = readSettings(env);
  // Known once the server listens; nobody logs in before.
  let url = settings.baseUrl?.origin ?? '';
  const app = await createApp({
    settings,
    origin: () => url,
    logger: createAppLogger(settings.logLevel, process.stdout.isTTY === true && !settings.production),
  });
  const server = createWebServer(app, entry, CLIENT_DIR, settings.baseUrl);
  try {
    await listen(server, settings);
  } catch (error) {
    await app.close();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  const shownHost = settings.host === '0.0.0.0' || settings.host === '127.0.0.1' ? 'localhost' : settings.host;
  url ||= `http://${shownHost}:${port}`;

  let closing: Promise<void> | undefined;
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeIdleConnections();
    await app.close();
    server.closeAllConnections();
    await closed;
  };
  return {
    url,
    app,
    server,
    settings,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** Runs until a signal comes. Prints where it is and how it ends. */
export async function main(): Promise<void> {
  let running: Running;
  try {
    running = await serve(process.env);
  } catch (error) {
    process.stderr.write(
      `\n${error instanceof SettingsError ? error.message : `The app cannot start: ${messageOf(error)}`}\n\n`,
    );
    process.exitCode = 1;
    return;
  }
  process.stdout.write(banner(running));

  const stop = () => {
    process.stdout.write('\nStopping.\n');
    void running.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
    // A second signal does not wait.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
}

function banner({ url, app, server, settings }: Running): string {
  const { discord } = app.health();
  const about = discord.simulated
    ? [
        'Discord is simulated on this machine; the people in it are too.',
        'Set DISCORD_BOT_TOKEN and PRIMARY_GUILD_ID to use the real one.',
      ]
    : [`Discord server ${app.guildId}, connection: ${discord.state}.`];
  const { port } = server.address() as AddressInfo;
  const elsewhere = settings.port !== 0 && settings.port !== port ? [`Port ${settings.port} was taken.`] : [];
  const lines = [`Game rooms is running at  ${url}`, '', ...elsewhere, ...about, 'Stop with Ctrl+C.'];
  return `\n${lines.map((line) => (line === '' ? '' : `  ${line}`)).join('\n')}\n\n`;
}

/** Listens on the port of the settings; when none was asked for and 3000 is taken, on any free one. */
async function listen(server: Server, settings: Settings): Promise<void> {
  const tryPort = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, settings.host, () => {
        server.off('error', reject);
        resolve();
      });
    });
  try {
    await tryPort(settings.port);
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    if (taken && !settings.portFixed) return tryPort(0);
    throw taken ? new Error(`port ${settings.port} is taken. Set PORT to another, or to 0 for any free one.`) : error;
  }
}

const [, script] = process.argv;
if (script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url)) await main();
