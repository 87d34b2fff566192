/** Published values: of the ciphers, of Discord's packet layouts, and one packet that a real client sent. */
import { readFileSync } from 'node:fs';
import { createPacketCipher, type EncryptionMode, parseRtcp, parseRtp, traitsOf } from '@guildkit/rtp';
import { describe, expect, it } from 'vitest';
import { createAesGcmBox } from '../../src/codec/aes-gcm.js';
import { loadLibsodium } from '../../src/codec/libsodium.js';
import { loadSodiumNative } from '../../src/codec/sodium-native.js';
import { hex, toHex } from '../support/bytes.js';

const json = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8')) as T;

interface Vectors {
  readonly key: string;
  readonly opus: string;
  readonly vectors: readonly { readonly mode: EncryptionMode; readonly note: string; readonly packet: string }[];
}

const { key, opus, vectors } = json<Vectors>('transport.json');

describe('transport vectors', () => {
  it('cover every mode', () => {
    expect(new Set(vectors.map(({ mode }) => mode)).size).toBe(6);
  });

  const both = vectors.flatMap((vector) =>
    (['libsodium-wrappers', 'sodium-native'] as const).map((sodium) => ({ ...vector, sodium })),
  );

  it.each(both)('$mode, $note, by $sodium', async ({ mode, packet, sodium }) => {
    const cipher = await createPacketCipher(mode, hex(key), { sodium, firstNonce: 1 });
    const opened = cipher.open(hex(packet));
    if (!opened.ok) throw new Error(opened.reason);
    const plain = opened.value;
    if ((plain[1] as number) === 200) {
      const parsed = parseRtcp(plain);
      expect(parsed.ok && parsed.value[0]).toMatchObject({
        type: 'senderReport',
        ssrc: 12_345,
        packetCount: 1,
        octetCount: 3,
      });
    } else {
      const parsed = parseRtp(plain);
      if (!parsed.ok) throw new Error(parsed.reason);
      const { payload, payloadType, sequenceNumber, timestamp, ssrc } = parsed.value;
      expect(toHex(payload)).toBe(opus);
      expect({ payloadType, sequenceNumber, timestamp, ssrc }).toEqual({
        payloadType: 120,
        sequenceNumber: 1,
        timestamp: 960,
        ssrc: 12_345,
      });
    }
    // Sealing makes the very bytes, but where the nonce is random.
    if (traitsOf(mode).nonce !== 'suffix') expect(toHex(cipher.seal(plain))).toBe(packet);
  });

  it('opens what a real client sent', async () => {
    const real = json<{ mode: EncryptionMode; key: string; packet: string }>('real-rtcp.json');
    const cipher = await createPacketCipher(real.mode, hex(real.key));
    const opened = cipher.open(hex(real.packet));
    const parsed = opened.ok ? parseRtcp(opened.value) : opened;
    expect(parsed).toMatchObject({
      ok: true,
      value: [
        { type: 'senderReport', ssrc: 388_120, packetCount: 23_438, octetCount: 1_992_219, reports: [] },
        { type: 'sourceDescription', chunks: [{ ssrc: 388_120, items: [{ type: 1 }] }] },
      ],
    });
  });
});

describe('published vectors of the ciphers', () => {
  it('AES-256-GCM (McGrew and Viega, The Galois/Counter Mode of Operation, test case 16)', () => {
    const box = createAesGcmBox(hex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308'));
    const clear = hex('feedfacedeadbeeffeedfacedeadbeefabaddad2');
    const text = hex(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
    );
    const sealed =
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662' +
      '76fc6ece0f4e1768cddf8853bb2d551b';
    const nonce = hex('cafebabefacedbaddecaf888');
    const packet = Uint8Array.from([...clear, ...text]);
    expect(toHex(box.seal(packet, clear.length, nonce, 0))).toBe(toHex(clear) + sealed);
    expect(toHex(box.open(hex(toHex(clear) + sealed), clear.length, packet.length + 16, nonce) as Uint8Array)).toBe(
      toHex(packet),
    );
  });

  describe.each([
    ['libsodium-wrappers', loadLibsodium],
    ['sodium-native', loadSodiumNative],
  ])('by %s', (_name, load) => {
    it('XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 appendix A.3.1), and so HChaCha20', async () => {
      const box = (await load()).xchacha20poly1305(
        hex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f'),
      );
      const clear = '50515253c0c1c2c3c4c5c6c7';
      const text = Buffer.from(
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
      ).toString('hex');
      const nonce = hex('404142434445464748494a4b4c4d4e4f5051525354555657');
      const sealed =
        'bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452' +
        '2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e' +
        'c0875924c1c7987947deafd8780acf49';
      expect(toHex(box.seal(hex(clear + text), 12, nonce, 0))).toBe(clear + sealed);
      expect(toHex(box.open(hex(clear + sealed), 12, (clear + sealed).length / 2, nonce) as Uint8Array)).toBe(
        clear + text,
      );
    });

    it('XSalsa20-Poly1305 (Bernstein, Cryptography in NaCl, section 10)', async () => {
      const box = (await load()).xsalsa20poly1305(
        hex('1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389'),
      );
      const nonce = hex('69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37');
      const text =
        'be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb31' +
        '0e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f93776384864' +
        '5e0705';
      const sealed =
        'f3ffc7703f9400e52a7dfb4b3d3305d9' +
        '8e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738' +
        'b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74' +
        'e355a5';
      expect(toHex(box.seal(hex(text), 0, nonce, 0))).toBe(sealed);
      expect(toHex(box.open(hex(sealed), 0, sealed.length / 2, nonce) as Uint8Array)).toBe(text);
    });
  });
});
