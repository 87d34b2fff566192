// Sealing an Opus packet into a datagram and opening it again, as each library's own code does it, in a process of its own:
// CPU µs per packet, or bytes allocated per packet.
import { registerHooks } from 'node:module';
import { setImmediate } from 'node:timers/promises';

const [name, packets, measured] = process.argv.slice(2);
const count = Number(packets);
const MEASURED_ALLOCATIONS = 10_000;
const key = Uint8Array.from({ length: 32 }, (_, n) => n);
const opus = Buffer.alloc(160, 0x5a);
const SSRC = 74_565;
const [library, cipher, backend] = name.split('-');
const mode = cipher === 'aes' ? 'aead_aes256_gcm_rtpsize' : 'aead_xchacha20_poly1305_rtpsize';

/** What @discordjs/voice would rather take, but shall not. */
const BACKENDS = [
  'sodium-native',
  'sodium',
  'libsodium-wrappers',
  '@stablelib/xchacha20poly1305',
  '@noble/ciphers/chacha',
];

async function guildkit() {
  const { buildRtp, createPacketCipher, parseRtp } = await import('@guildkit/rtp');
  const packetCipher = await createPacketCipher(mode, key, { sodium: 'libsodium-wrappers' });
  let sequenceNumber = 0;
  let timestamp = 0;
  return {
    seal() {
      sequenceNumber = (sequenceNumber + 1) & 0xffff;
      timestamp = (timestamp + 960) >>> 0;
      return packetCipher.seal(buildRtp({ payloadType: 120, ssrc: SSRC, sequenceNumber, timestamp, payload: opus }));
    },
    open: (datagram) => parseRtp(packetCipher.open(datagram).value).value.payload,
  };
}

async function discordjs() {
  registerHooks({
    resolve(specifier, context, next) {
      if (BACKENDS.includes(specifier) && specifier !== backend) throw new Error(`${specifier} is not to be used`);
      // Its own name of it is of an older version.
      return next(specifier === '@noble/ciphers/chacha' ? '@noble/ciphers/chacha.js' : specifier, context);
    },
  });
  const { Networking, VoiceReceiver } = await import('@discordjs/voice');
  await setImmediate();
  const data = {
    ssrc: SSRC,
    sequence: 0,
    timestamp: 0,
    nonce: 0,
    nonceBuffer: mode === 'aead_aes256_gcm_rtpsize' ? Buffer.alloc(12) : Buffer.alloc(24),
    secretKey: key,
    encryptionMode: mode,
  };
  const nonce = Buffer.alloc(data.nonceBuffer.length);
  const sender = Object.create(Networking.prototype);
  const receiver = Object.create(VoiceReceiver.prototype, {
    voiceConnection: { value: { state: { status: 'signalling' } } },
  });
  return {
    seal() {
      data.sequence = (data.sequence + 1) & 0xffff;
      data.timestamp = (data.timestamp + 960) >>> 0;
      return sender.createAudioPacket(opus, data, undefined);
    },
    open: (datagram) => receiver.parsePacket(datagram, mode, nonce, key, '1'),
  };
}

const { seal, open } = await (library === 'guildkit' ? guildkit() : discordjs());
// @discordjs/voice loads its library behind its module.
for (let turn = 0; turn < 200; turn += 1) await setImmediate();
const sealed = Buffer.from(seal());
if (Buffer.compare(open(sealed), opus) !== 0) throw new Error(`${name} does not open what it sealed`);
for (let n = 0; n < 5_000; n += 1) {
  seal();
  open(sealed);
}

/** CPU of all threads, so that collecting what was allocated counts and other processes do not. */
function perPacket(work) {
  const before = process.cpuUsage();
  for (let n = 0; n < count; n += 1) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

async function bytesPerPacket(work) {
  const used = () => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  // Twice, with a turn of the event loop: what a buffer holds outside of the heap is given back only then.
  for (let n = 0; n < 2; n += 1) {
    global.gc();
    await setImmediate();
  }
  const before = used();
  for (let n = 0; n < MEASURED_ALLOCATIONS; n += 1) work();
  return (used() - before) / MEASURED_ALLOCATIONS;
}

process.send(
  measured === 'allocations'
    ? { seal: await bytesPerPacket(seal), open: await bytesPerPacket(() => open(sealed)) }
    : { seal: perPacket(seal), open: perPacket(() => open(sealed)) },
);
