/** Not in TypeScript's DOM library: W3C "MediaStreamTrack Insertable Media Processing using Streams", in Chromium. */
declare class MediaStreamTrackProcessor<T> {
  constructor(init: { readonly track: MediaStreamTrack; readonly maxBufferSize?: number });
  readonly readable: ReadableStream<T>;
}
