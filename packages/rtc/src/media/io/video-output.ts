/** Owns what is sent as video: the senders, what others are told of them, and whom receivers' requests are for. */
import type { RtcpPacket } from '@guildkit/rtp';
import type { MediaSession, MediaSinkWants, MediaTransport } from '../transport.js';
import type { SendVideoOptions, VideoSender, VideoSource } from '../video-types.js';
import { aborted } from './audio-track.js';
import { VideoTrackSender } from './video-track.js';

/** What an output is made of. */
export interface VideoOutputInit {
  readonly transport: MediaTransport;
  readonly random: () => number;
  onError(error: unknown): void;
}

/** Sends the video of one client: one source for each stream that the server offers. */
export class VideoOutput {
  /** By simulcast id. */
  private readonly senders = new Map<string | undefined, VideoTrackSender>();

  constructor(private readonly init: VideoOutputInit) {}

  send(source: VideoSource, options: SendVideoOptions | undefined): VideoSender {
    const { transport, random, onError } = this.init;
    const sender = new VideoTrackSender(source, options, {
      transport,
      random,
      onError,
      onChange: () => this.announce(),
    });
    if (sender.state === 'ended') return sender;
    const { rid } = sender.settings;
    this.senders.get(rid)?.end(aborted('another source replaced it'));
    this.senders.set(rid, sender);
    return sender;
  }

  abort(why: string): void {
    for (const sender of [...this.senders.values()]) sender.end(aborted(why));
  }

  onSession(session: MediaSession | undefined): void {
    for (const sender of this.senders.values()) sender.onSession(session);
    if (session !== undefined) this.announce();
  }

  onSinkWants(wants: MediaSinkWants): void {
    for (const [sender, stream] of this.streams()) {
      const quality = wants.ssrcs[String(stream.ssrc)] ?? wants.any;
      const { onWanted } = sender.settings;
      if (quality !== undefined && onWanted !== undefined) sender.call(() => onWanted(quality));
    }
  }

  /** Requests and reports of receivers. */
  onRtcp(packet: RtcpPacket, wallTime: number): void {
    for (const [sender, stream] of this.streams()) {
      if (packet.type === 'nack' && packet.mediaSsrc === stream.ssrc) sender.onNack(packet.sequenceNumbers, stream);
      const isForKeyframe =
        (packet.type === 'pictureLossIndication' && packet.mediaSsrc === stream.ssrc) ||
        (packet.type === 'fullIntraRequest' && packet.requests.some(({ ssrc }) => ssrc === stream.ssrc));
      if (isForKeyframe) sender.onKeyframeRequest();
      if (packet.type === 'senderReport' || packet.type === 'receiverReport') {
        const block = packet.reports.find(({ ssrc }) => ssrc === stream.ssrc);
        if (block !== undefined) sender.counter.onReport(block, wallTime);
      }
    }
  }

  /** Senders with the streams they are sent on. */
  streams(): readonly (readonly [VideoTrackSender, NonNullable<ReturnType<VideoTrackSender['streamOf']>>])[] {
    const { session } = this.init.transport;
    if (session === undefined) return [];
    return [...this.senders.values()].flatMap((sender) => {
      const stream = sender.streamOf(session);
      return stream === undefined ? [] : [[sender, stream] as const];
    });
  }

  private announce(): void {
    for (const [rid, sender] of this.senders) if (sender.state === 'ended') this.senders.delete(rid);
    const streams = this.streams().filter(([{ state }]) => state === 'sending');
    this.init.transport.announceVideo(
      streams.length === 0
        ? undefined
        : {
            streams: streams.map(([{ settings, size }, { ssrc, rtxSsrc, rid, quality }]) => ({
              ssrc,
              rtxSsrc,
              rid,
              quality,
              active: true,
              maxBitrate: settings.maxBitrate,
              maxFramerate: settings.maxFramerate,
              ...size,
            })),
          },
    );
  }
}
