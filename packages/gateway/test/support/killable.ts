/**
 * A process of its own that listens and says on stdout what it hears, until it is killed.
 * Arguments: a JSON of `{ token, apiBase, guildId, directory }`.
 */
import { type Clock, systemClock } from '@guildkit/core';
import { DiscordGatewayClient, fileSessionStore } from '@guildkit/gateway';

const { directory, ...connection } = JSON.parse(process.argv[2] ?? '{}') as Record<
  'token' | 'apiBase' | 'guildId' | 'directory',
  string
>;
// Writing to a pipe is synchronous: what was said was heard.
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const startedAt = Date.now();
// Sessions are stored every five seconds: of a day that goes by in minutes.
const clock: Clock = { ...systemClock, wallTime: () => startedAt + (Date.now() - startedAt) * 100 };

const client = new DiscordGatewayClient({
  ...connection,
  intents: ['Guilds', 'GuildVoiceStates'],
  sessionStore: fileSessionStore({ directory }),
  clock,
});
client.onEvent('*', (event) => say(event));
client.on('error', (error) => say({ error: error.message }));
void client.connect().then(() => say({ connected: true }));
