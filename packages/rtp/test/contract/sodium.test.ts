/** The two ways of using libsodium-wrappers, and what happens when the quicker one is not to be had. */
import sodium from 'libsodium-wrappers';
import { beforeAll, describe, expect, it } from 'vitest';
import { documentedBoxes, memoryBoxes, type SodiumBoxes } from '../../src/codec/libsodium.js';
import { dice, toHex } from '../support/bytes.js';

type Memory = NonNullable<Parameters<typeof memoryBoxes>[0]>;

const below = dice(3);
const random = (length: number): Uint8Array => Uint8Array.from({ length }, () => below(256));
const NAMES = ['xchacha20poly1305', 'xsalsa20poly1305'] as const;

let documented: SodiumBoxes;
let memory: Memory;
let direct: SodiumBoxes | undefined;
beforeAll(async () => {
  await sodium.ready;
  documented = documentedBoxes(sodium);
  memory = (sodium as unknown as { libsodium: Memory }).libsodium;
  direct = memoryBoxes(memory, documented);
});

describe.each(NAMES)('%s', (name) => {
  it('is the same over memory and over documented functions, for every length', () => {
    for (let length = 0; length < 300; length += 1) {
      const [key, nonce] = [random(32), random(24)];
      const clear = below(length + 1);
      const packet = random(length);
      const [ours, theirs] = [direct?.[name](key), documented[name](key)];
      const sealed = theirs.seal(packet, clear, nonce, 3).subarray(0, length + 16);
      expect(ours?.seal(packet, clear, nonce, 3).length).toBe(length + 19);
      expect(toHex(ours?.seal(packet, clear, nonce, 0) as Uint8Array)).toBe(toHex(sealed));
      expect(toHex(ours?.open(sealed, clear, sealed.length, nonce) as Uint8Array)).toBe(toHex(packet));
      expect(toHex(theirs.open(sealed, clear, sealed.length, nonce) as Uint8Array)).toBe(toHex(packet));
    }
  });

  it('refuses forgeries both ways', () => {
    const [key, nonce, packet] = [random(32), random(24), random(50)];
    for (const boxes of [direct as SodiumBoxes, documented]) {
      const sealed = boxes[name](key).seal(packet, 12, nonce, 0);
      sealed[30] = (sealed[30] as number) ^ 1;
      expect(boxes[name](key).open(sealed, 12, sealed.length, nonce)).toBe(undefined);
    }
  });
});

describe('memoryBoxes', () => {
  it.each([
    '_malloc',
    '_crypto_aead_xchacha20poly1305_ietf_encrypt_detached',
    '_crypto_aead_xchacha20poly1305_ietf_decrypt_detached',
    '_crypto_secretbox_easy',
    '_crypto_secretbox_open_easy',
    'HEAPU8',
  ] as const)('is left out without %s', (name) => {
    expect(
      memoryBoxes({ ...memory, HEAPU8: memory.HEAPU8 as Uint8Array, [name]: undefined } as Memory, documented),
    ).toBe(undefined);
  });

  it('is left out when a function takes its arguments otherwise, fails, or throws', () => {
    const changed: Partial<Memory>[] = [
      { _crypto_secretbox_easy: () => 0 },
      { _crypto_secretbox_open_easy: () => 0 },
      { _crypto_secretbox_open_easy: () => -1 },
      { _crypto_aead_xchacha20poly1305_ietf_encrypt_detached: () => 0 },
      {
        _crypto_aead_xchacha20poly1305_ietf_decrypt_detached: () => {
          throw new Error('wrong number of arguments');
        },
      },
    ];
    for (const change of changed) {
      const broken = Object.assign(Object.create(memory) as Memory, change);
      expect(memoryBoxes(broken, documented)).toBe(undefined);
    }
    expect(memoryBoxes(undefined, documented)).toBe(undefined);
    // The same through a wrapper that changes nothing works: the above fail for the right reason.
    expect(memoryBoxes(Object.create(memory) as Memory, documented)).toBeDefined();
  });
});
