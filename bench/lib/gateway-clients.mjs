// The gateway clients that are compared, each behind the same few lines. A client is given the address of a stand-in
// for Discord and calls back for each dispatch. Loaded when wanted: one process runs one client.
import { createRequire } from 'node:module';

const TOKEN = 'MTIz.bench.token';
/** Guilds, GuildMembers, GuildVoiceStates, GuildPresences, GuildMessages, reactions, typing, MessageContent. */
export const INTENTS = 1 | 2 | 128 | 256 | 512 | 1_024 | 2_048 | 32_768;
const BROWSER_BUILD = new URL('../node_modules/@guildkit/gateway/dist/browser/index.js', import.meta.url).href;
const silent = { debug() {}, info() {}, warn() {}, error() {}, fatal() {}, trace() {} };

/** What `GET /gateway/bot` would say. */
const gatewayInfo = (url) => ({
  url,
  shards: 1,
  session_start_limit: { total: 1_000, remaining: 1_000, reset_after: 86_400_000, max_concurrency: 1 },
});

/**
 * Each: `connect({ url, intents, compression, onDispatch(name, seq, data), onTold(what), … })`, resolving to
 * `{ send(payload), close() }` when connecting has begun. `onTold` gets whatever the client emits besides dispatches.
 */
export const CLIENTS = {
  /**
   * `subscribe(client)` says what is listened to; `options` are more of the client's; `build: 'browser'` takes what other
   * runtimes than Node get, with Node's WebSocket.
   */
  async guildkit({ url, intents = INTENTS, compression = 'none', options = {}, subscribe, onTold = () => {}, build }) {
    const { DiscordGatewayClient } = await (build === 'browser' ? import(BROWSER_BUILD) : import('@guildkit/gateway'));
    const client = new DiscordGatewayClient({
      token: TOKEN,
      intents,
      compression,
      fetchGatewayInfo: async () => gatewayInfo(url),
      ...options,
    });
    subscribe(client);
    for (const name of ['gap', 'alert', 'degraded', 'error', 'closed']) client.on(name, () => onTold(name));
    client.connect().catch(() => {});
    return { send: (payload) => client.send(payload), close: () => client.close() };
  },

  async discordjs({ url, intents = INTENTS, compression = 'none', onDispatch, onTold = () => {} }) {
    const { CompressionMethod, WebSocketManager } = await import('@discordjs/ws');
    const manager = new WebSocketManager({
      token: TOKEN,
      intents,
      rest: { get: async () => gatewayInfo(url) },
      compression: compression === 'none' ? null : CompressionMethod.ZlibNative,
    });
    manager.on('dispatch', (payload) => onDispatch(payload.t, payload.s, payload.d));
    // An 'error' without a listener would end the process.
    for (const name of ['error', 'socketError']) manager.on(name, () => onTold(name));
    manager.connect().catch(() => {});
    return { send: (payload) => manager.send(0, payload), close: () => manager.destroy() };
  },

  async discordeno({ url, intents = INTENTS, compression = 'none', preferSnakeCase = false, onDispatch }) {
    const { createGatewayManager } = await import('@discordeno/gateway');
    const manager = createGatewayManager({
      token: TOKEN,
      url,
      intents,
      preferSnakeCase,
      logger: silent,
      transportCompression: compression === 'none' ? null : compression,
      connection: {
        url,
        shards: 1,
        sessionStartLimit: { total: 1_000, remaining: 1_000, resetAfter: 86_400_000, maxConcurrency: 1 },
      },
      resharding: { enabled: false, checkInterval: -1, shardsFullPercentage: 80 },
      events: { message: (_shard, payload) => payload.op === 0 && onDispatch(payload.t, payload.s, payload.d) },
    });
    manager.spawnShards().catch(() => {});
    return { send: (payload) => manager.sendPayload(0, payload), close: () => manager.shutdown(1_000, 'done') };
  },

  /**
   * Its socket speaks only TLS to port 443. `node:https` is pointed at plain loopback instead, so that all of its own
   * code runs as it is; that spares it the cost of TLS.
   */
  async seyfert({ url, intents = INTENTS, onDispatch }) {
    const require = createRequire(import.meta.url);
    const { request } = require('node:http');
    require('node:https').request = (options, ...rest) => request({ ...options, port: new URL(url).port }, ...rest);
    const { Shard } = require('seyfert/lib/websocket/index.js');
    const shard = new Shard(0, {
      token: TOKEN,
      intents,
      compress: false,
      info: gatewayInfo(url),
      handlePayload(_shardId, payload) {
        // It holds guilds back until all have come, and adds a dispatch of its own then.
        if (payload.t !== 'GUILDS_READY') onDispatch(payload.t.replace(/^RAW_/, ''), payload.s, payload.d);
      },
    });
    shard.logger = silent;
    shard.connect().catch(() => {});
    return { send: (payload) => shard.send(false, payload), close: () => shard.disconnect() };
  },

  /** Not a client: what a WebSocket and `onMessage(data, identify)` cost. */
  async raw({ url, compression = 'none', onMessage }) {
    const { WebSocket } = await import('ws');
    const query = compression === 'none' ? '' : `&compress=${compression}`;
    const socket = new WebSocket(`${url}/?v=10&encoding=json${query}`, { perMessageDeflate: false });
    const identify = () =>
      socket.send(JSON.stringify({ op: 2, d: { token: TOKEN, intents: INTENTS, properties: {} } }));
    socket.on('message', (data) => onMessage(data, identify));
    return { close: () => socket.terminate() };
  },
};
