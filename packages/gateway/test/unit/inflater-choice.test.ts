/** Which inflater is taken. */
import { expect, test } from 'vitest';
import type { Inflater } from '../../src/codec/inflater.js';
import {
  chooseZlibInflater,
  createNativeInflater,
  createPortableInflater,
  nativeInflateWorks,
} from '../../src/codec/zlib-stream.js';
import { chooseZstdInflater, createNativeZstdInflater } from '../../src/codec/zstd-native.js';
import { createPortableZstdInflater } from '../../src/codec/zstd-stream.js';

const wrong = (): Inflater => ({ push: () => ({ status: 'message', data: new Uint8Array() }), close() {} });
const broken = (): Inflater => {
  throw new TypeError('handle is undefined');
};

test('zlib: the native one is taken when the internals are as expected, else the portable one', () => {
  expect(nativeInflateWorks()).toBe(true);
  expect(chooseZlibInflater()).toBe(createNativeInflater);
  expect(nativeInflateWorks(createPortableInflater)).toBe(true);
  expect(nativeInflateWorks(wrong)).toBe(false);
  expect(nativeInflateWorks(broken)).toBe(false);
});

test('zstd: the native one is taken where there is one, and when the internals are as expected', () => {
  expect(chooseZstdInflater()).toBe(createNativeZstdInflater ?? createPortableZstdInflater);
  expect(chooseZstdInflater(wrong)).toBe(createPortableZstdInflater);
  expect(chooseZstdInflater(broken)).toBe(createPortableZstdInflater);
});
