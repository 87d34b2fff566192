// One client in one process: connects, takes the whole stream, tells what it cost between the two markers.
// argv: contender, url, number of dispatches, and of those before them
import zlib from 'node:zlib';
import { MARKER, NAMES } from '../lib/discord-payloads.mjs';
import { CLIENTS } from '../lib/gateway-clients.mjs';

const [contender, url, ...numbers] = process.argv.slice(2);
const [count, warmUp] = numbers.map(Number);
let startedAt;
let cpuAtStart;
let delivered = 0;
let lastSeq = 1;
let disorder = 0;

function mark() {
  if (cpuAtStart === undefined) {
    delivered = 0;
    startedAt = performance.now();
    cpuAtStart = process.cpuUsage();
    return;
  }
  const { user, system } = process.cpuUsage(cpuAtStart);
  const seconds = (performance.now() - startedAt) / 1_000;
  // The high-water mark of the process, in KiB: exact, and costs nothing while it runs.
  const rssMb = (process.resourceUsage().maxRSS * 1_024) / 1e6;
  const cpuUs = (user + system) / count;
  process.send({ cpuUs, seconds, rssMb, delivered, disorder }, () => process.exit(0));
}

function onDispatch(name, seq) {
  if (name === 'READY') return;
  if (seq <= lastSeq) disorder += 1;
  lastSeq = seq;
  if (name === MARKER) mark();
  else delivered += 1;
}

/** Only bytes: told apart by their number. */
function countMessages() {
  let messages = 0;
  return (data, identify) => {
    messages += 1;
    if (messages === 1) identify(JSON.parse(data));
    else if (messages === warmUp + 3 || messages === warmUp + count + 4) mark();
    else delivered += 1;
  };
}

const parsed = (text, identify) => {
  const { op, t, s } = JSON.parse(text);
  if (op === 10) identify();
  else onDispatch(t, s);
};

/** One zlib context driven synchronously through what node:zlib's own synchronous functions use, as minizlib does. */
function statefulInflate() {
  const inflate = zlib.createInflate({ chunkSize: 65_536 });
  const handle = inflate._handle;
  const { close } = handle;
  return (chunk) => {
    // processChunkSync() ends the context when it is done; it is still wanted.
    handle.close = () => {};
    inflate.close = () => {};
    const bytes = inflate._processChunk(chunk, zlib.constants.Z_SYNC_FLUSH);
    inflate._handle = handle;
    handle.close = close;
    inflate.removeAllListeners('error');
    return bytes;
  };
}

const everything = (client) => {
  for (const name of [...NAMES, MARKER]) client.onDispatch(name, (_data, { seq }) => onDispatch(name, seq));
};
const onlyMarker = (client) => client.onDispatch(MARKER, (_data, { seq }) => onDispatch(MARKER, seq));
const guildkit = (subscribe, options, compression, build) => () =>
  CLIENTS.guildkit({ url, subscribe, options, compression, build, onTold: fail });
const peer = (name, more) => () => CLIENTS[name]({ url, onDispatch, ...more });

const CONTENDERS = {
  'raw-bytes': () => CLIENTS.raw({ url, onMessage: countMessages() }),
  raw: () => CLIENTS.raw({ url, onMessage: (data, identify) => parsed(data.toString(), identify) }),
  'guildkit-all': guildkit(everything, { domainEvents: false }),
  'guildkit-none': guildkit(onlyMarker, { domainEvents: false }),
  'guildkit-voice': guildkit((client) => {
    onlyMarker(client);
    for (const name of ['voice.joined', 'voice.left', 'voice.moved', 'voice.updated']) {
      client.onEvent(name, () => {
        delivered += 1;
      });
    }
  }),
  'guildkit-domain': guildkit((client) => {
    onlyMarker(client);
    client.onEvent('*', () => {
      delivered += 1;
    });
  }),
  discordjs: peer('discordjs'),
  discordeno: peer('discordeno'),
  'discordeno-snake': peer('discordeno', { preferSnakeCase: true }),
  seyfert: peer('seyfert'),
  'raw-zlib'() {
    const inflate = statefulInflate();
    const onMessage = (data, identify) => parsed(inflate(data).toString(), identify);
    return CLIENTS.raw({ url, compression: 'zlib-stream', onMessage });
  },
  'guildkit-all-zlib': guildkit(everything, { domainEvents: false }, 'zlib-stream'),
  'guildkit-none-zlib': guildkit(onlyMarker, { domainEvents: false }, 'zlib-stream'),
  'discordjs-zlib': peer('discordjs', { compression: 'zlib-stream' }),
  'discordeno-snake-zlib': peer('discordeno', { preferSnakeCase: true, compression: 'zlib-stream' }),
  'guildkit-all-zstd': guildkit(everything, { domainEvents: false }, 'zstd-stream'),
  'guildkit-none-zstd': guildkit(onlyMarker, { domainEvents: false }, 'zstd-stream'),
  'guildkit-all-fzstd': guildkit(everything, { domainEvents: false }, 'zstd-stream', 'browser'),
  'discordeno-snake-zstd': peer('discordeno', { preferSnakeCase: true, compression: 'zstd-stream' }),
};

function fail(what) {
  process.send({ failed: String(what) }, () => process.exit(1));
}

process.on('unhandledRejection', (error) => fail(error));
CONTENDERS[contender]().catch(fail);
