/**
 * Owns where a picture has changed against the one before: a box around it. A demonstration of what an app may do with
 * pictures; one that recognises cards would stand in its place. Pure: pixels in, a box out.
 */

/** Pixels as `ImageData` has them: RGBA, row by row. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/** A part of a picture, each from 0 to 1. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The picture is looked at in a grid of so many cells on its longer side. */
const CELLS = 32;
/** How much brighter or darker a cell has to be, of 255. Encoders' noise stays below. */
const THRESHOLD = 14;

/** Makes a detector for one stream of pictures: `undefined` while nothing moves, and for the first picture. */
export function createMotionDetector(): (pixels: Pixels) => Box | undefined {
  let before: { readonly columns: number; readonly rows: number; readonly cells: Float32Array } | undefined;
  return (pixels) => {
    const now = cellsOf(pixels);
    const last = before;
    before = now;
    // A camera that was turned.
    if (last === undefined || last.columns !== now.columns || last.rows !== now.rows) return undefined;
    const { columns, rows, cells } = now;
    let [left, right, top, bottom] = [columns, -1, rows, -1];
    for (let at = 0; at < cells.length; at += 1) {
      if (Math.abs((cells[at] ?? 0) - (last.cells[at] ?? 0)) < THRESHOLD) continue;
      const [column, row] = [at % columns, Math.floor(at / columns)];
      left = Math.min(left, column);
      right = Math.max(right, column);
      top = Math.min(top, row);
      bottom = Math.max(bottom, row);
    }
    if (right < 0) return undefined;
    return {
      x: left / columns,
      y: top / rows,
      width: (right - left + 1) / columns,
      height: (bottom - top + 1) / rows,
    };
  };
}

/** Mean brightness of each cell. */
function cellsOf({ width, height, data }: Pixels) {
  const size = Math.max(1, Math.ceil(Math.max(width, height) / CELLS));
  const [columns, rows] = [Math.ceil(width / size), Math.ceil(height / size)];
  const cells = new Float32Array(columns * rows);
  const counts = new Uint32Array(cells.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = (y * width + x) * 4;
      const cell = Math.floor(y / size) * columns + Math.floor(x / size);
      // ITU-R BT.601.
      cells[cell] =
        (cells[cell] ?? 0) + 0.299 * (data[at] ?? 0) + 0.587 * (data[at + 1] ?? 0) + 0.114 * (data[at + 2] ?? 0);
      counts[cell] = (counts[cell] ?? 0) + 1;
    }
  }
  for (let cell = 0; cell < cells.length; cell += 1) cells[cell] = (cells[cell] ?? 0) / (counts[cell] || 1);
  return { columns, rows, cells };
}
