/** Owns the box that is drawn around what moves in a picture: an example of looking at pictures. */
import { imageDataOf } from '@guildkit/realtime-client/media';
import { type Box, createMotionDetector } from './motion.js';

/** Looks at a picture as it is shown. What it draws on goes over the picture. */
export type Look = (frame: VideoFrame, overlay: HTMLCanvasElement) => void;

const detectors = new WeakMap<HTMLCanvasElement, (pixels: ImageData) => Box | undefined>();

/** A box around what moves. An app that recognises cards would look here. */
export const markMotion: Look = (frame, overlay) => {
  const detect = detectors.get(overlay) ?? createMotionDetector();
  detectors.set(overlay, detect);
  const box = detect(imageDataOf(frame));
  const { displayWidth: width, displayHeight: height } = frame;
  if (overlay.width !== width) overlay.width = width;
  if (overlay.height !== height) overlay.height = height;
  const context = overlay.getContext('2d');
  context?.clearRect(0, 0, width, height);
  overlay.dataset.motion = String(box !== undefined);
  if (context == null || box === undefined) return;
  context.strokeStyle = '#ffd54a';
  context.lineWidth = Math.max(2, width / 120);
  context.strokeRect(box.x * width, box.y * height, box.width * width, box.height * height);
};
