/**
 * Owns which encryption mode is quickest here. It depends on the processor: AES in hardware or not, and on the library that
 * is installed for XChaCha. Measured once a process, in a few milliseconds, at the first connect.
 */
import { performance } from 'node:perf_hooks';
import { createPacketCipher, ENCRYPTION_MODES, type EncryptionMode, traitsOf } from '@guildkit/rtp';

/** A 20 ms Opus packet at 64 kbit/s, and a full packet of video. */
const SIZES = [172, 1_150];
const ROUNDS = 5;
const PACKETS_PER_ROUND = 40;
const RTP_VERSION_2 = 0x80;
const OPUS = 120;

let measured: Promise<readonly EncryptionMode[]> | undefined;

/** Every mode that works here, quickest AEAD mode first, legacy modes last in rtp's order. */
export function measuredModes(): Promise<readonly EncryptionMode[]> {
  measured ??= measure();
  return measured;
}

async function measure(): Promise<readonly EncryptionMode[]> {
  const results: { mode: EncryptionMode; ms: number }[] = [];
  for (const mode of ENCRYPTION_MODES.filter((candidate) => !traitsOf(candidate).legacy)) {
    try {
      results.push({ mode, ms: await costOf(mode) });
    } catch {
      // It does not work here: connect() fails only if no other is left.
    }
  }
  const aead = results.sort((a, b) => a.ms - b.ms).map(({ mode }) => mode);
  return [...aead, ...ENCRYPTION_MODES.filter((mode) => traitsOf(mode).legacy)];
}

/** The best of several rounds, in ms: what else runs on the machine makes rounds slower, never quicker. */
async function costOf(mode: EncryptionMode): Promise<number> {
  const cipher = await createPacketCipher(mode, new Uint8Array(32));
  const packets = SIZES.map((size) => {
    const packet = new Uint8Array(size);
    packet[0] = RTP_VERSION_2;
    packet[1] = OPUS;
    return packet;
  });
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    for (let turn = 0; turn < PACKETS_PER_ROUND; turn += 1) {
      for (const packet of packets) cipher.open(cipher.seal(packet));
    }
    best = Math.min(best, performance.now() - start);
  }
  return best;
}
