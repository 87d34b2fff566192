/** Hostile messages of a voice gateway, by seed: broken ones, and whole ones with wrong parts. */
import { decodeVoiceBinary, decodeVoiceText } from '../../src/codec/decode-voice-message.js';
import { parseControlDatagram } from '../../src/protocol/udp-datagrams.js';

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const KEYS = [
  'ssrc',
  'ip',
  'port',
  'modes',
  'streams',
  'mode',
  'secret_key',
  'user_id',
  'user_ids',
  'speaking',
  'video_ssrc',
  'audio_ssrc',
  'rtx_ssrc',
  'heartbeat_interval',
  'any',
  '17',
  'transition_id',
  'protocol_version',
  'epoch',
  'rid',
  'quality',
  '__proto__',
  'video_codec',
];

/** One value of any shape. */
function value(random: () => number, depth = 0): unknown {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  switch (Math.floor(random() * (depth > 3 ? 6 : 9))) {
    case 0:
      return Math.floor(random() * 2 ** 33) - 2 ** 20;
    case 1:
      return random() * 10 - 5;
    case 2:
      return pick([
        '',
        '852892297661906993',
        '127.0.0.1',
        '::1',
        'aead_aes256_gcm_rtpsize',
        '\u0000',
        'x'.repeat(2_000),
      ]);
    case 3:
      return pick([null, true, false]);
    case 4:
      return pick([1e308, -0, 2 ** 53, 65_535, 65_536, 4_294_967_295]);
    case 5:
      return Array.from({ length: 32 }, () => Math.floor(random() * 256));
    case 6:
      return Array.from({ length: Math.floor(random() * 5) }, () => value(random, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: Math.floor(random() * 8) }, () => [pick(KEYS), value(random, depth + 1)]),
      );
  }
}

/** Reads so many hostile messages; throws if a parser does, or if one says something that is not allowed. */
export function fuzzVoice(seed: number, inputs: number): { readonly read: number; readonly refused: number } {
  const random = dice(seed);
  let read = 0;
  let refused = 0;
  const take = ({ ok }: { readonly ok: boolean }): void => {
    if (ok) read += 1;
    else refused += 1;
  };
  for (let n = 0; n < inputs; n += 1) {
    switch (n % 4) {
      case 0:
        take(
          decodeVoiceText(
            JSON.stringify({ op: Math.floor(random() * 36) - 1, d: value(random), seq: value(random, 9) }),
          ),
        );
        break;
      case 1: {
        const whole = JSON.stringify({
          op: Math.floor(random() * 34),
          d: value(random),
          seq: Math.floor(random() * 65_536),
        });
        const at = Math.floor(random() * whole.length);
        take(
          decodeVoiceText(
            random() < 0.5
              ? whole.slice(0, at)
              : `${whole.slice(0, at)}${String.fromCharCode(Math.floor(random() * 256))}${whole.slice(at + 1)}`,
          ),
        );
        break;
      }
      case 2: {
        const bytes = Uint8Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256));
        if (bytes.length > 2) bytes[2] = 20 + Math.floor(random() * 14);
        const decoded = decodeVoiceBinary(bytes);
        take(decoded);
        if (decoded.ok && decoded.frame?.kind === 'news' && decoded.frame.news.type === 'daveBinary') {
          if (decoded.frame.news.payload.length !== bytes.length - 3) throw new Error('bytes were lost');
        }
        break;
      }
      default: {
        const bytes = Uint8Array.from({ length: random() < 0.8 ? 74 : Math.floor(random() * 90) }, () =>
          random() < 0.3 ? 0 : Math.floor(random() * 256),
        );
        if (random() < 0.8 && bytes.length >= 4) bytes.set([0, 2, 0, 70]);
        if (random() < 0.5 && bytes.length >= 20) bytes.set(Buffer.from('10.1.2.3\0'), 8);
        take({ ok: parseControlDatagram(bytes) !== undefined });
      }
    }
  }
  return { read, refused };
}
