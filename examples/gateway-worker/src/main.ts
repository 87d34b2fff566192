/** Owns the process: settings, signals, exit codes. This is what `node dist/main.mjs` runs. */
import { messageOf } from '@guildkit/core';
import { createLogger } from '@guildkit/server-kit/observability';
import { readSettings, type Settings, SettingsError } from './settings.js';
import { startWorker } from './worker.js';

/** Nothing that starting again would mend: a supervisor leaves it ended (sysexits.h: EX_CONFIG). */
const EXIT_CONFIG = 78;

try {
  await run(readSettings(process.env));
} catch (error) {
  const said = error instanceof SettingsError ? error.message : `The worker cannot start: ${messageOf(error)}`;
  process.stderr.write(`\n${said}\n\n`);
  process.exitCode = error instanceof SettingsError ? EXIT_CONFIG : 1;
}

async function run(settings: Settings): Promise<void> {
  const { topology, token, logLevel } = settings;
  const shared = topology.kind === 'webhook' ? topology.secrets : topology.tokens;
  const logger = createLogger({ name: 'gateway-worker', level: logLevel, secrets: [token, ...shared] });
  const worker = await startWorker(settings, logger);

  const signalled = new Promise<'signal'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('signal'));
  });
  let exitCode = 0;
  try {
    await Promise.race([signalled, worker.failed]);
    // A second signal does not wait.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  } catch (error) {
    logger.error({ reason: messageOf(error) }, 'Discord refuses this bot');
    exitCode = EXIT_CONFIG;
  }
  await worker.close();
  process.exit(exitCode);
}
