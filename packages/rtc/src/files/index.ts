/**
 * Media files as sources and sinks.
 *
 * @packageDocumentation
 */
export { opusFromFile, wavFromFile } from './audio-files.js';
export { type AudioRecorder, recordOgg, recordWav } from './audio-recorder.js';
export type { FileInput } from './io/file-bytes.js';
export { videoFromFile } from './video-files.js';
export { recordIvf, recordWebm, type VideoRecorder, type WebmOptions, type WebmRecorder } from './video-recorder.js';
