/**
 * A process of its own that makes requests as soon as it is told to, and says when they are done.
 * Arguments: a JSON of `{ connection, socket, requests }`; without a socket it keeps its limits to itself.
 */
import { redisRateLimitStore } from '@guildkit/redis';
import { DiscordRestClient } from '@guildkit/rest';
import { createClient } from 'redis';

interface Arguments {
  readonly connection: { readonly token: string; readonly apiBase: string };
  readonly socket?: string;
  readonly requests: number;
}

/** More than the limit allows, and few enough that none waits for longer than a request may. */
const AT_ONCE = 12;

const { connection, socket, requests } = JSON.parse(process.argv[2] ?? '{}') as Arguments;

async function main(): Promise<void> {
  const client = socket === undefined ? undefined : createClient({ socket: { path: socket, tls: false } });
  await client?.connect();
  const rateLimitStore = client === undefined ? undefined : redisRateLimitStore({ client });
  const rest = new DiscordRestClient({ ...connection, rateLimitStore });
  process.on('message', () => {
    let left = requests;
    let failed = 0;
    const lane = async () => {
      while (left > 0) {
        left -= 1;
        await rest.request('GET', '/gateway').catch(() => {
          failed += 1;
        });
      }
    };
    void Promise.all(Array.from({ length: AT_ONCE }, lane)).then(async () => {
      await rest.close();
      await client?.close();
      process.send?.({ failed }, () => process.exit());
    });
  });
  process.send?.('ready');
}

void main();
