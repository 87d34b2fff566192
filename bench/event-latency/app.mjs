// The app's side: gateway and hub in one process, and the page that Chromium opens.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { DiscordGatewayClient } from '@guildkit/gateway';
import { RealtimeHub } from '@guildkit/server-kit/hub';
import { createJwtIssuer, createJwtVerifier } from '@guildkit/server-kit/jwt';
import { build } from 'esbuild';

const { connection } = JSON.parse(process.argv[2]);
const names = { issuer: 'bench', audience: 'bench' };
const issuer = await createJwtIssuer(names);
const verifier = createJwtVerifier({ ...names, jwks: issuer.jwks() });
const page = await build({
  entryPoints: [fileURLToPath(new URL('page.mjs', import.meta.url))],
  bundle: true,
  format: 'esm',
  platform: 'browser',
  write: false,
});
const server = createServer(async (request, response) => {
  if (request.url === '/page.js')
    return response.setHeader('content-type', 'text/javascript').end(page.outputFiles[0].contents);
  if (request.url === '/token') return response.end((await issuer.sign({ userId: 'bench', roles: [] })).token);
  response.setHeader('content-type', 'text/html').end(await readFile(new URL('page.html', import.meta.url)));
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

const hub = new RealtimeHub({
  origins: [origin],
  authenticate: ({ token }) => (token === undefined ? null : verifier.verify(token)),
  authorize: () => true,
  maxConnectionsPerUser: 1000,
});
hub.attach(server, { ws: '/api/ws' });
const gateway = new DiscordGatewayClient({ ...connection, intents: ['Guilds', 'GuildVoiceStates'] });
gateway.onEvent('*', hub.publishDiscordEvent);
await gateway.connect();
process.on('message', async () => {
  const cpu = process.cpuUsage();
  process.send({ type: 'usage', cpuMs: (cpu.user + cpu.system) / 1000, rssMb: process.memoryUsage().rss / 2 ** 20 });
});
process.send({ type: 'ready', origin });
