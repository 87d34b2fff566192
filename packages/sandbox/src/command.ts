/** Owns the `guildkit-sandbox` command: its flags, what it prints, and a clean stop. */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { messageOf } from '@guildkit/core';
import { SANDBOX_ERRORS, SandboxError } from './errors.js';
import { createSandbox, type Sandbox, type SandboxOptions } from './sandbox.js';
import type { SandboxState } from './state.js';

/** What the command uses of the process. */
export interface CommandIo {
  out(text: string): void;
  err(text: string): void;
  /** Calls back on SIGINT and SIGTERM. */
  onStop(stop: () => void): void;
}

const HELP = `guildkit-sandbox: Discord on your own machine

Usage: guildkit-sandbox [options]

  --port <n>         Port to listen on (default 8787, 0 for a free one)
  --host <address>   Address to bind to (default 127.0.0.1)
  --allow-remote     Allow a host that other machines can reach
  --seed <n>         Same seed, same ids and tokens (default 1)
  --state <file>     Begin with a saved state (GET /control/v1/state gives one), and with its seed
  --tls <file>       Serve https and wss; the certificate to trust is written to this file
  --no-rate-limits   Switch REST and gateway rate limits off
  --voice-port <n>   TCP and UDP port of voice (default: free ones)
  --no-dave          Voice without end-to-end encryption
  --json             Print one line of JSON instead of text
  --help             Print this

The console at /console shows the guild and its traffic. The control API at /control/v1 does the same by HTTP: it creates
people, moves them and makes faults. Both answer this machine only.
`;

const FLAGS = {
  port: { type: 'string', default: '8787' },
  host: { type: 'string', default: '127.0.0.1' },
  'allow-remote': { type: 'boolean', default: false },
  seed: { type: 'string', default: '1' },
  state: { type: 'string' },
  tls: { type: 'string' },
  'no-rate-limits': { type: 'boolean', default: false },
  'voice-port': { type: 'string', default: '0' },
  'no-dave': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** Exit code of a command line that makes no sense, as of most Unix tools. */
const EXIT_USAGE = 2;

/** Runs the command until it is told to stop. Resolves to the exit code. */
export async function runCommand(args: readonly string[], io: CommandIo): Promise<number> {
  let options: SandboxOptions;
  let json: boolean;
  let certificateFile: string | undefined;
  try {
    const { values } = parseArgs({ args: [...args], options: FLAGS, strict: true });
    if (values.help) {
      io.out(HELP);
      return 0;
    }
    json = values.json;
    certificateFile = values.tls;
    const voicePort = wholeNumber('voice-port', values['voice-port']);
    options = {
      port: wholeNumber('port', values.port),
      seed: wholeNumber('seed', values.seed),
      host: values.host,
      allowRemote: values['allow-remote'],
      rateLimits: !values['no-rate-limits'],
      tls: certificateFile !== undefined,
      voice: { port: voicePort, udpPort: voicePort, dave: !values['no-dave'] },
      state: values.state === undefined ? undefined : await readState(values.state),
    };
  } catch (error) {
    io.err(`guildkit-sandbox: ${messageOf(error)}\nTry --help.\n`);
    return EXIT_USAGE;
  }

  let sandbox: Sandbox;
  try {
    sandbox = await createSandbox(options);
  } catch (error) {
    const remedy = SandboxError.is(error) ? ` ${SANDBOX_ERRORS[error.code]}` : '';
    io.err(`guildkit-sandbox: ${messageOf(error)}${remedy}\n`);
    return error instanceof TypeError ? EXIT_USAGE : 1;
  }
  if (certificateFile !== undefined && sandbox.certificate !== undefined) {
    try {
      await writeFile(certificateFile, sandbox.certificate);
    } catch (error) {
      io.err(`guildkit-sandbox: ${messageOf(error)}\n`);
      await sandbox.close();
      return 1;
    }
  }
  const stopped = new Promise<void>((resolve) => io.onStop(resolve));
  io.out(describe(sandbox, json));
  await stopped;
  await sandbox.close();
  return 0;
}

function describe(
  { connection, gatewayUrl, controlUrl, consoleUrl, textChannelId, voiceChannelId, oauth, voice }: Sandbox,
  json: boolean,
): string {
  const { clientId, clientSecret, authorizeUrl } = oauth;
  const addresses = { gatewayUrl, controlUrl, consoleUrl, authorizeUrl, voiceEndpoint: voice.endpoint };
  const facts = { ...connection, ...addresses, textChannelId, voiceChannelId, clientId, clientSecret };
  if (json) return `${JSON.stringify(facts)}\n`;
  return `Discord sandbox is running. Stop it with Ctrl+C.

  console        ${facts.consoleUrl}
  bot token      ${facts.token}
  API base       ${facts.apiBase}
  gateway        ${facts.gatewayUrl}
  voice          ${facts.voiceEndpoint}
  control API    ${facts.controlUrl}
  authorize      ${facts.authorizeUrl}
  client id      ${facts.clientId}
  client secret  ${facts.clientSecret}
  guild          ${facts.guildId}
  text channel   ${facts.textChannelId}
  voice channel  ${facts.voiceChannelId}
`;
}

/** Reads a saved state; whether it is one is for the sandbox to say. @throws TypeError when it is no JSON. */
async function readState(file: string): Promise<SandboxState> {
  const text = await readFile(file, 'utf8');
  try {
    return JSON.parse(text) as SandboxState;
  } catch (error) {
    throw new TypeError(`--state ${file} is not JSON: ${messageOf(error)}`);
  }
}

function wholeNumber(flag: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new TypeError(`--${flag} must be a whole number`);
  return Number(text);
}
