// The ways to seal and open a packet that are compared, each loaded when wanted: one process runs one of them. Each one
// seals a whole plain packet into a whole datagram and opens it again, as a voice library has to.
import crypto from 'node:crypto';
import { createRequire } from 'node:module';

const key = Uint8Array.from({ length: 32 }, (_, n) => n);
const HEADER = 12;

async function guildkit(mode, sodium) {
  const { createPacketCipher } = await import('@guildkit/rtp');
  const cipher = await createPacketCipher(mode, key, sodium === undefined ? {} : { sodium });
  return { seal: cipher.seal, open: (datagram) => cipher.open(datagram).value };
}

/** Four bytes of nonce at the end, the rest as the library wants it. */
function withCounter(nonceBytes, encrypt, decrypt) {
  let counter = 0;
  const nonce = Buffer.alloc(nonceBytes);
  return {
    seal(packet) {
      counter += 1;
      nonce.writeUInt32BE(counter, 0);
      const header = packet.subarray(0, HEADER);
      return Buffer.concat([header, encrypt(packet.subarray(HEADER), header, nonce), nonce.subarray(0, 4)]);
    },
    open(datagram) {
      const received = Buffer.alloc(nonceBytes);
      datagram.copy(received, 0, datagram.length - 4);
      const header = datagram.subarray(0, HEADER);
      return Buffer.concat([header, decrypt(datagram.subarray(HEADER, -4), header, received)]);
    },
  };
}

/** [what it is, how to load it] by cipher and name. The first one of a cipher is what the others are compared with. */
export const CONTENDERS = {
  'AES-256-GCM': {
    'aes-guildkit': ['**@guildkit/rtp**', () => guildkit('aead_aes256_gcm_rtpsize')],
    'aes-concat': [
      'node:crypto with a raw key and `Buffer.concat`, as @discordjs/voice does',
      async () =>
        withCounter(
          12,
          (text, header, nonce) => {
            const cipher = crypto.createCipheriv('aes-256-gcm', key, nonce);
            cipher.setAAD(header);
            return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
          },
          (text, header, nonce) => {
            const decipher = crypto.createDecipheriv('aes-256-gcm', key, nonce);
            decipher.setAAD(header);
            decipher.setAuthTag(text.subarray(-16));
            return Buffer.concat([decipher.update(text.subarray(0, -16)), decipher.final()]);
          },
        ),
    ],
  },
  'XChaCha20-Poly1305': {
    'xchacha-guildkit': [
      '**@guildkit/rtp**, libsodium-wrappers',
      () => guildkit('aead_xchacha20_poly1305_rtpsize', 'libsodium-wrappers'),
    ],
    'xchacha-guildkit-native': [
      '**@guildkit/rtp**, sodium-native',
      () => guildkit('aead_xchacha20_poly1305_rtpsize', 'sodium-native'),
    ],
    'xchacha-wrappers': [
      'libsodium-wrappers, its documented functions',
      async () => {
        const { default: sodium } = await import('libsodium-wrappers');
        await sodium.ready;
        return withCounter(
          24,
          (text, header, nonce) => sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(text, header, null, nonce, key),
          (text, header, nonce) => sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, text, header, nonce, key),
        );
      },
    ],
    'xchacha-native': [
      'sodium-native',
      async () => {
        const sodium = createRequire(import.meta.url)('sodium-native');
        return withCounter(
          24,
          (text, header, nonce) => {
            const sealed = Buffer.allocUnsafe(text.length + 16);
            sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, text, header, null, nonce, key);
            return sealed;
          },
          (text, header, nonce) => {
            const plain = Buffer.allocUnsafe(text.length - 16);
            sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(plain, null, text, header, nonce, key);
            return plain;
          },
        );
      },
    ],
    'xchacha-stablelib': [
      '@stablelib/xchacha20poly1305',
      async () => {
        const { XChaCha20Poly1305 } = await import('@stablelib/xchacha20poly1305');
        const cipher = new XChaCha20Poly1305(key);
        return withCounter(
          24,
          (text, header, nonce) => cipher.seal(nonce, text, header),
          (text, header, nonce) => cipher.open(nonce, text, header),
        );
      },
    ],
    'xchacha-noble': [
      '@noble/ciphers',
      async () => {
        const { xchacha20poly1305 } = await import('@noble/ciphers/chacha.js');
        return withCounter(
          24,
          (text, header, nonce) => xchacha20poly1305(key, nonce, header).encrypt(text),
          (text, header, nonce) => xchacha20poly1305(key, nonce, header).decrypt(text),
        );
      },
    ],
  },
  'XSalsa20-Poly1305 (legacy)': Object.fromEntries(
    [
      'xsalsa20_poly1305_lite_rtpsize',
      'xsalsa20_poly1305_lite',
      'xsalsa20_poly1305_suffix',
      'xsalsa20_poly1305',
    ].flatMap((mode) =>
      ['libsodium-wrappers', 'sodium-native'].map((sodium) => [
        `${mode}-${sodium}`,
        [`**@guildkit/rtp**, \`${mode}\`, ${sodium}`, () => guildkit(mode, sodium)],
      ]),
    ),
  ),
};
