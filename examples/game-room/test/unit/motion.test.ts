import { describe, expect, test } from 'vitest';
import { createMotionDetector, type Pixels } from '../../src/room/motion.js';

/** A grey picture with a white square. */
function picture(width: number, height: number, square?: { x: number; y: number; side: number }, grey = 90): Pixels {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const isIn =
        square !== undefined &&
        x >= square.x &&
        x < square.x + square.side &&
        y >= square.y &&
        y < square.y + square.side;
      data.set([isIn ? 255 : grey, isIn ? 255 : grey, isIn ? 255 : grey, 255], (y * width + x) * 4);
    }
  }
  return { width, height, data };
}

describe('motion', () => {
  test('the first picture, and one like the one before, have none', () => {
    const detect = createMotionDetector();
    expect(detect(picture(64, 48))).toBeUndefined();
    expect(detect(picture(64, 48))).toBeUndefined();
  });

  test('a box goes around what came, what went, and what moved', () => {
    const detect = createMotionDetector();
    detect(picture(320, 240));
    const there = { x: 80 / 320, y: 60 / 240, width: 40 / 320, height: 40 / 240 };
    const square = { x: 80, y: 60, side: 40 };
    expect(detect(picture(320, 240, square))).toEqual(there);
    expect(detect(picture(320, 240))).toEqual(there);
    detect(picture(320, 240, square));
    const both = detect(picture(320, 240, { x: 200, y: 160, side: 40 }));
    expect(both).toEqual({ x: 80 / 320, y: 60 / 240, width: 160 / 320, height: 140 / 240 });
  });

  test('what an encoder does to a picture is no motion, a lamp that is lit is everywhere', () => {
    const detect = createMotionDetector();
    detect(picture(64, 48, undefined, 90));
    expect(detect(picture(64, 48, undefined, 100))).toBeUndefined();
    expect(detect(picture(64, 48, undefined, 200))).toEqual({ x: 0, y: 0, width: 1, height: 1 });
  });

  test('a camera that is turned begins anew; a size that no cell fits into is no error', () => {
    const detect = createMotionDetector();
    detect(picture(64, 48));
    expect(detect(picture(48, 64, undefined, 250))).toBeUndefined();
    expect(detect(picture(1, 1))).toBeUndefined();
    expect(detect(picture(1, 1, undefined, 250))).toEqual({ x: 0, y: 0, width: 1, height: 1 });
  });
});
