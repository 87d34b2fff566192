/** Owns which Discord the app speaks to: the real one, one by address, or a sandbox of its own. */
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import type { Settings } from './settings.js';

/** Where Discord is, and the application that people log in to. */
export function discordOf({ discord }: Settings, sandbox: Sandbox | undefined) {
  if (discord === undefined) {
    const { connection, oauth } = sandbox as Sandbox;
    return { connection, clientId: oauth.clientId, clientSecret: oauth.clientSecret };
  }
  const { token, guildId, apiBase, clientId, clientSecret } = discord;
  return { connection: { token: token.reveal(), guildId, apiBase }, clientId, clientSecret };
}

/** A server with an open table, and people to log in as. */
export async function createSandboxWithTables(): Promise<Sandbox> {
  // Ids that carry the time, as Discord's: pages read from them when something was said.
  const sandbox = await createSandbox({ ids: 'clock' });
  await sandbox.channels.create({ name: 'Lounge' });
  for (const name of ['Anna', 'Björn', 'Chloe', 'Dev']) await sandbox.people.create({ name });
  return sandbox;
}
