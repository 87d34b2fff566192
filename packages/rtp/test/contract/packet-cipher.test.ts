/** What every mode of every library keeps to. */
import { inspect } from 'node:util';
import {
  buildRtcp,
  buildRtp,
  createPacketCipher,
  ENCRYPTION_MODES,
  type EncryptionMode,
  type PacketCipher,
  type PacketCipherOptions,
  parseRtp,
  RtpError,
  traitsOf,
} from '@guildkit/rtp';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rtcpPacket, rtpPacket } from '../support/arbitraries.js';
import { reference } from '../support/boxes.js';
import { hex, toHex } from '../support/bytes.js';

const KEY = Uint8Array.from({ length: 32 }, (_, n) => n + 1);
const RTP = buildRtp({
  payloadType: 120,
  sequenceNumber: 1,
  timestamp: 960,
  ssrc: 12_345,
  csrcs: [7, 8],
  extension: { profile: 0xbede, data: hex('10ff9000') },
  payload: hex('f8fffe'),
  paddingLength: 2,
});
const RTCP = buildRtcp({ type: 'pictureLossIndication', senderSsrc: 1, mediaSsrc: 2 });

const suites = ENCRYPTION_MODES.flatMap((mode) =>
  traitsOf(mode).cipher === 'aes-256-gcm'
    ? [{ mode, backend: 'node:crypto', options: {} }]
    : (['libsodium-wrappers', 'sodium-native'] as const).map((sodium) => ({
        mode,
        backend: sodium,
        options: { sodium },
      })),
) satisfies { mode: EncryptionMode; backend: string; options: PacketCipherOptions }[];

/** What stays clear of a packet, by the table in Discord's documentation. */
function clearOf(mode: EncryptionMode, packet: Uint8Array): number {
  const isRtcp = (packet[1] as number) >= 192 && (packet[1] as number) <= 223;
  if (isRtcp) return 8;
  if (!mode.endsWith('_rtpsize')) return 12;
  const first = packet[0] as number;
  return 12 + 4 * (first & 15) + ((first & 16) === 0 ? 0 : 4);
}

function nonceOf(mode: EncryptionMode, packet: Uint8Array, sealed: Uint8Array): Uint8Array {
  const nonce = new Uint8Array(traitsOf(mode).cipher === 'aes-256-gcm' ? 12 : 24);
  if (traitsOf(mode).nonce === 'header') nonce.set(packet.subarray(0, clearOf(mode, packet)));
  else nonce.set(sealed.subarray(traitsOf(mode).nonce === 'suffix' ? -24 : -4));
  return nonce;
}

const opened = (cipher: PacketCipher, packet: Uint8Array): string => {
  const result = cipher.open(packet);
  return result.ok ? toHex(result.value) : result.reason;
};

describe.each(suites)('$mode by $backend', ({ mode, backend, options }) => {
  const create = (more: PacketCipherOptions = {}) => createPacketCipher(mode, KEY, { ...options, ...more });

  it('says what it is', async () => {
    expect(await create()).toMatchObject({ mode, backend, overhead: traitsOf(mode).overhead, nextNonce: 0 });
  });

  it('opens what the other side sealed', async () => {
    const [sender, receiver] = [await create(), await create()];
    fc.assert(
      fc.property(
        fc.oneof(
          rtpPacket.map(buildRtp),
          rtcpPacket.map(buildRtcp).filter(({ length }) => length >= 8),
        ),
        (packet) => {
          const before = packet.slice();
          const sealed = sender.seal(packet);
          expect(packet).toEqual(before);
          expect(sealed.length).toBe(packet.length + sender.overhead);
          expect(toHex(sealed.subarray(0, clearOf(mode, packet)))).toBe(
            toHex(packet.subarray(0, clearOf(mode, packet))),
          );
          const copy = sealed.slice();
          expect(opened(receiver, sealed)).toBe(toHex(packet));
          expect(toHex(sealed)).toBe(toHex(copy));
        },
      ),
    );
  });

  it('seals the same bytes as an implementation of other origin', async () => {
    const cipher = await create();
    fc.assert(
      fc.property(
        fc.oneof(
          rtpPacket.map(buildRtp),
          rtcpPacket.map(buildRtcp).filter(({ length }) => length >= 8),
        ),
        (packet) => {
          const sealed = cipher.seal(packet);
          const clear = clearOf(mode, packet);
          const body = reference(
            traitsOf(mode).cipher,
            KEY,
            nonceOf(mode, packet, sealed),
            packet.subarray(0, clear),
            packet.subarray(clear),
          );
          expect(toHex(sealed.subarray(clear, clear + body.length))).toBe(toHex(body));
        },
      ),
    );
  });

  it('refuses a packet cut at any byte', async () => {
    const cipher = await create();
    for (const packet of [RTP, RTCP]) {
      const sealed = cipher.seal(packet);
      for (let length = 0; length < sealed.length; length += 1) {
        expect(['truncated', 'forged']).toContain(opened(cipher, sealed.subarray(0, length)));
      }
    }
  });

  it('refuses a flipped bit anywhere it authenticates', async () => {
    const cipher = await create();
    for (const packet of [RTP, RTCP]) {
      const sealed = cipher.seal(packet);
      // Without authenticated data, what is clear may be changed; in the mode without a nonce of its own it is the nonce.
      const guarded = traitsOf(mode).legacy && traitsOf(mode).nonce !== 'header' ? clearOf(mode, packet) : 0;
      for (let bit = guarded * 8; bit < sealed.length * 8; bit += 1) {
        const changed = sealed.slice();
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(['forged', 'truncated', 'version']).toContain(opened(cipher, changed));
      }
    }
  });

  it('refuses another key', async () => {
    const [cipher, other] = [
      await create(),
      await createPacketCipher(
        mode,
        KEY.map((byte) => byte ^ 1),
        options,
      ),
    ];
    expect(opened(other, cipher.seal(RTP))).toBe('forged');
    // The one refused packet does no harm to what comes after.
    expect(opened(other, other.seal(RTP))).toBe(toHex(RTP));
  });

  it('never uses a nonce twice, and stops before it would', async () => {
    if (traitsOf(mode).nonce === 'header') {
      // The mode's header is its nonce: as different as the headers are.
      expect((await create()).seal(RTP)).toEqual((await create()).seal(RTP));
      return;
    }
    const cipher = await create({ firstNonce: 2 ** 32 - 3 });
    const sent = Array.from({ length: 3 }, () => toHex(nonceOf(mode, RTP, cipher.seal(RTP))));
    expect(new Set(sent).size).toBe(3);
    expect(cipher.nextNonce).toBe(2 ** 32);
    for (let again = 0; again < 2; again += 1) {
      expect(() => cipher.seal(RTP)).toThrow(expect.objectContaining({ code: 'ERR_RTP_NONCE_EXHAUSTED' }));
    }
    // Receiving needs no nonce of this side.
    expect(opened(cipher, (await create()).seal(RTP))).toBe(toHex(RTP));
  });

  it('goes on with the nonces of the cipher before', async () => {
    const first = await create();
    first.seal(RTP);
    const next = await create({ firstNonce: first.nextNonce });
    expect(next.nextNonce).toBe(first.nextNonce);
    if (traitsOf(mode).nonce === 'counter') expect(toHex(next.seal(RTP).subarray(-4))).toBe('00000001');
  });

  it('takes the four bytes of nonce as they come', async () => {
    if (traitsOf(mode).nonce !== 'counter') return;
    const cipher = await create({ firstNonce: 0xfedc_ba98 });
    const sealed = cipher.seal(RTP);
    expect(toHex(sealed.subarray(-4))).toBe('fedcba98');
    expect(opened(await create(), sealed)).toBe(toHex(RTP));
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['less than a header', RTP.subarray(0, 7)],
    ['a keepalive', hex('1337cafe 00000001')],
    ['version 1', hex('40780001000003c000003039')],
    ['CSRCs that are not there', mode.endsWith('_rtpsize') ? hex('8f780001000003c000003039') : new Uint8Array(0)],
    ['more than a datagram', Uint8Array.from({ length: 65_001 }, (_, n) => RTP[n] ?? 0)],
  ])('refuses to seal %s', async (_what, packet) => {
    const cipher = await create();
    expect(() => cipher.seal(packet)).toThrow(expect.objectContaining({ code: 'ERR_RTP_PACKET_INVALID' }));
    // No nonce was spent on it.
    expect(cipher.nextNonce).toBe(0);
  });

  it('seals and opens the largest packet, and refuses larger ones', async () => {
    const cipher = await create();
    const packet = Uint8Array.from({ length: 65_000 }, (_, n) => RTP[n] ?? n);
    expect(opened(cipher, cipher.seal(packet)) === toHex(packet)).toBe(true);
    expect(cipher.open(new Uint8Array(65_536).fill(0x80))).toEqual({ ok: false, reason: 'oversized' });
  });

  it('opens a padded packet with an extension to what parseRtp needs', async () => {
    const cipher = await create();
    const result = cipher.open(cipher.seal(RTP));
    const parsed = result.ok ? parseRtp(result.value) : result;
    expect(parsed.ok && toHex(parsed.value.payload)).toBe('f8fffe');
  });

  it('hands out arrays that later calls do not change', async () => {
    const cipher = await create();
    const first = cipher.seal(RTP);
    const copy = first.slice();
    const plain = cipher.open(first);
    const plainCopy = plain.ok ? plain.value.slice() : undefined;
    for (let n = 0; n < 200; n += 1) cipher.open(cipher.seal(RTCP));
    expect(toHex(first)).toBe(toHex(copy));
    expect(plain.ok && toHex(plain.value)).toBe(toHex(plainCopy as Uint8Array));
  });

  it('keeps its own copy of the key, and shows it to nobody', async () => {
    const key = KEY.slice();
    const cipher = await createPacketCipher(mode, key, options);
    key.fill(0);
    expect(opened(await create(), cipher.seal(RTP))).toBe(toHex(RTP));
    const shown = inspect(cipher, { depth: 9, showHidden: true }) + JSON.stringify(cipher);
    expect(shown).not.toMatch(/1, 2, 3|01 02 03|010203/);
  });
});

describe('createPacketCipher', () => {
  it('takes a key as the voice gateway sends it', async () => {
    const cipher = await createPacketCipher('aead_aes256_gcm_rtpsize', [...KEY]);
    const other = await createPacketCipher('aead_aes256_gcm_rtpsize', KEY);
    expect(opened(other, cipher.seal(RTP))).toBe(toHex(RTP));
  });

  it.each([
    ['too short', KEY.subarray(1)],
    ['too long', new Uint8Array(33)],
    ['a text', 'x'.repeat(32)],
    ['null', null],
    ['with a number that is no byte', [...KEY.subarray(1), 256]],
  ])('refuses a key that is %s, without repeating it', async (_what, key) => {
    const refused = createPacketCipher('aead_aes256_gcm_rtpsize', key as Uint8Array);
    await expect(refused).rejects.toMatchObject({ code: 'ERR_RTP_KEY_INVALID', message: 'the key must be 32 bytes' });
  });

  it('refuses unknown modes and options', async () => {
    await expect(createPacketCipher('aead_none' as never, KEY)).rejects.toMatchObject({ code: 'ERR_RTP_MODE_UNKNOWN' });
    await expect(createPacketCipher('toString' as never, KEY)).rejects.toSatisfy(RtpError.is);
    const options = { firstNonce: 2 ** 32 + 1 };
    await expect(createPacketCipher('aead_aes256_gcm_rtpsize', KEY, options)).rejects.toThrow(TypeError);
    await expect(createPacketCipher('aead_aes256_gcm_rtpsize', KEY, { nonce: 1 } as never)).rejects.toThrow(TypeError);
  });

  it('prefers modes that authenticate the header, and puts legacy ones last', () => {
    const legacy = ENCRYPTION_MODES.map((mode) => traitsOf(mode).legacy);
    expect(legacy).toEqual([false, false, true, true, true, true]);
    expect([...ENCRYPTION_MODES].sort()).toEqual(
      [
        'aead_aes256_gcm_rtpsize',
        'aead_xchacha20_poly1305_rtpsize',
        'xsalsa20_poly1305',
        'xsalsa20_poly1305_lite',
        'xsalsa20_poly1305_lite_rtpsize',
        'xsalsa20_poly1305_suffix',
      ].sort(),
    );
  });

  it('uses sodium-native where it is installed', async () => {
    expect((await createPacketCipher('xsalsa20_poly1305_lite', KEY)).backend).toBe('sodium-native');
  });
});
