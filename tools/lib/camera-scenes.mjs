// What the cameras of the pictures see: a table with cards, and one with dice, each as a short film that a browser can take
// for its camera (YUV4MPEG2, 4:2:0).

const [WIDTH, HEIGHT, FRAMES, RATE] = [320, 240, 30, 15];

/**
 * @param {import('playwright-core').Page} page Draws; any page will do.
 * @param {'cards' | 'dice'} scene
 * @returns {Promise<Buffer>}
 */
export async function filmOf(page, scene) {
  const frames = await page.evaluate(drawFrames, { scene, width: WIDTH, height: HEIGHT, count: FRAMES });
  const parts = [Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F${RATE}:1 Ip A1:1 C420jpeg\n`)];
  for (const frame of frames) parts.push(Buffer.from('FRAME\n'), toYuv(Buffer.from(frame, 'base64')));
  return Buffer.concat(parts);
}

/** ITU-R BT.601, each colour for four pixels. */
function toYuv(rgba) {
  const yuv = Buffer.alloc((WIDTH * HEIGHT * 3) / 2);
  for (let at = 0; at < WIDTH * HEIGHT; at += 1) {
    const [r, g, b] = rgba.subarray(at * 4, at * 4 + 3);
    yuv[at] = Math.round(0.299 * r + 0.587 * g + 0.114 * b);
    const [x, y] = [at % WIDTH, Math.floor(at / WIDTH)];
    if (x % 2 === 1 || y % 2 === 1) continue;
    const chroma = WIDTH * HEIGHT + (y / 2) * (WIDTH / 2) + x / 2;
    yuv[chroma] = Math.round(128 - 0.168736 * r - 0.331264 * g + 0.5 * b);
    yuv[chroma + (WIDTH * HEIGHT) / 4] = Math.round(128 + 0.5 * r - 0.418688 * g - 0.081312 * b);
  }
  return yuv;
}

/** Runs in the page. */
function drawFrames({ scene, width, height, count }) {
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  const spread = (from, to) => {
    const light = pen.createRadialGradient(width * 0.45, height * 0.35, 20, width / 2, height / 2, width * 0.7);
    light.addColorStop(0, from);
    light.addColorStop(1, to);
    pen.fillStyle = light;
    pen.fillRect(0, 0, width, height);
  };
  const block = (x, y, w, h, angle, radius, fill) => {
    pen.save();
    pen.translate(x, y);
    pen.rotate(angle);
    pen.shadowColor = 'rgba(0,0,0,.45)';
    pen.shadowBlur = 8;
    pen.shadowOffsetY = 3;
    pen.beginPath();
    pen.roundRect(-w / 2, -h / 2, w, h, radius);
    pen.fillStyle = fill;
    pen.fill();
    pen.shadowColor = 'transparent';
  };
  const diamond = (size) => {
    pen.beginPath();
    pen.moveTo(0, -size);
    pen.lineTo(size * 0.72, 0);
    pen.lineTo(0, size);
    pen.lineTo(-size * 0.72, 0);
    pen.fill();
  };
  const heart = (size) => {
    pen.beginPath();
    pen.moveTo(0, size);
    pen.bezierCurveTo(-size * 1.6, -size * 0.1, -size * 0.7, -size * 1.2, 0, -size * 0.4);
    pen.bezierCurveTo(size * 0.7, -size * 1.2, size * 1.6, -size * 0.1, 0, size);
    pen.fill();
  };
  const spade = (size) => {
    pen.save();
    pen.rotate(Math.PI);
    heart(size);
    pen.restore();
    pen.fillRect(-size * 0.12, 0, size * 0.24, size * 1.1);
  };
  const card = (x, y, angle, rank, suit, colour) => {
    block(x, y, 46, 66, angle, 5, '#fbfaf6');
    pen.fillStyle = colour;
    pen.font = '600 15px sans-serif';
    pen.fillText(rank, -18, -17);
    suit(11);
    pen.restore();
  };
  const die = (x, y, angle, pips) => {
    block(x, y, 44, 44, angle, 9, '#f6f1e4');
    pen.fillStyle = '#26221c';
    const spots = { 2: [0, 8], 3: [0, 4, 8], 5: [0, 2, 4, 6, 8], 6: [0, 2, 3, 5, 6, 8] }[pips];
    for (const spot of spots) {
      pen.beginPath();
      pen.arc(((spot % 3) - 1) * 12, (Math.floor(spot / 3) - 1) * 12, 4, 0, 7);
      pen.fill();
    }
    pen.restore();
  };
  const frames = [];
  for (let at = 0; at < count; at += 1) {
    const turn = (at / count) * 2 * Math.PI;
    if (scene === 'cards') {
      spread('#2f8a63', '#0f4a35');
      card(62, 92, -0.12, '7', spade, '#20242c');
      card(118, 86, -0.04, '10', heart, '#c0282d');
      card(174, 86, 0.03, 'Q', diamond, '#c0282d');
      card(230, 92, 0.1, 'A', spade, '#20242c');
      card(176 + 34 * Math.cos(turn), 178 + 14 * Math.sin(turn), 0.35, 'K', heart, '#c0282d');
    } else {
      spread('#9a6b43', '#4a2d18');
      for (const [x, y, colour] of [
        [52, 60, '#2c5fa8'],
        [82, 78, '#c0282d'],
        [58, 96, '#d9a521'],
      ]) {
        block(x, y, 24, 24, 0, 12, colour);
        pen.restore();
      }
      die(232, 84, 0.4, 5);
      die(158 + 26 * Math.sin(turn), 158 + 16 * Math.cos(turn), turn, 6);
    }
    const { data } = pen.getImageData(0, 0, width, height);
    let text = '';
    for (let from = 0; from < data.length; from += 8192)
      text += String.fromCharCode(...data.subarray(from, from + 8192));
    frames.push(btoa(text));
  }
  return frames;
}
