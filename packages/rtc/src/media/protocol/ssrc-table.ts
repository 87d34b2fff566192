/**
 * Owns whose stream an SSRC is, as opcodes 5, 12 and 13 tell it. Packets that come before their announcement wait a short
 * time. Bounded in users, streams and waiting packets: all of it comes from the network.
 */

import type { RemoteVideo } from '../transport.js';

/** Whose stream it is and what for. */
export interface StreamOwner {
  readonly ssrc: number;
  readonly userId: string;
  readonly kind: 'audio' | 'video' | 'rtx';
  /** Simulcast id; empty for audio and where there is one stream only. */
  readonly rid: string;
  /** Of `rtx`: the stream whose packets come again. */
  readonly mainSsrc: number;
  /** Of video: 0 to 100. */
  readonly quality: number;
}

/** A packet that waits to be known. */
export interface Waiting<P> {
  readonly packet: P;
  readonly arrivedAt: number;
}

/** What has changed: streams that ended (or are someone else's now), and packets that are known now. */
export interface TableChange<P> {
  readonly ended: readonly StreamOwner[];
  readonly known: readonly Waiting<P>[];
}

/** Keeps the table of one session. */
export interface SsrcTable<P extends { readonly ssrc: number }> {
  ownerOf(ssrc: number): StreamOwner | undefined;
  /** Streams of a user. */
  streamsOf(userId: string): readonly StreamOwner[];
  /** Opcode 5. */
  onSpeaking(userId: string, ssrc: number, now: number): TableChange<P>;
  /** Opcode 12: replaces what was known of the user's video. */
  onVideo(video: RemoteVideo, now: number): TableChange<P>;
  /** Opcode 13. */
  onUserLeft(userId: string): TableChange<P>;
  /** Keeps a packet of an unknown SSRC for a short time. */
  hold(packet: P, now: number): void;
  clear(): TableChange<P>;
  /** Packets that no announcement came for in time. */
  readonly unknown: number;
}

/** A gateway message takes longer than a packet, but not long. */
const HOLD_MS = 1_000;
const MAX_HELD_SSRCS = 32;
/** A second of audio. */
const MAX_HELD_PACKETS = 50;
/** Larger than any channel: 25 with video, 99 in all, some streams each. */
const MAX_STREAMS = 2_048;

/** Makes the table of one session. */
export function createSsrcTable<P extends { readonly ssrc: number }>(): SsrcTable<P> {
  const owners = new Map<number, StreamOwner>();
  const held = new Map<number, Waiting<P>[]>();
  let unknown = 0;

  function release(ssrc: number, now: number): readonly Waiting<P>[] {
    const waiting = held.get(ssrc) ?? [];
    held.delete(ssrc);
    const fresh = waiting.filter(({ arrivedAt }) => now - arrivedAt <= HOLD_MS);
    unknown += waiting.length - fresh.length;
    return fresh;
  }

  /** Sets owners, and takes away those of `gone` that are not among them. */
  function assign(added: readonly StreamOwner[], gone: readonly StreamOwner[], now: number): TableChange<P> {
    const ended: StreamOwner[] = [];
    const known: Waiting<P>[] = [];
    for (const owner of gone) {
      if (added.some(({ ssrc }) => ssrc === owner.ssrc)) continue;
      owners.delete(owner.ssrc);
      ended.push(owner);
    }
    for (const owner of added) {
      const before = owners.get(owner.ssrc);
      if (before === undefined && owners.size >= MAX_STREAMS) continue;
      const isSame =
        before?.userId === owner.userId && before.kind === owner.kind && before.mainSsrc === owner.mainSsrc;
      if (before !== undefined && !isSame) ended.push(before);
      owners.set(owner.ssrc, owner);
      if (before === undefined) known.push(...release(owner.ssrc, now));
    }
    return { ended, known };
  }

  const streamsOf = (userId: string): StreamOwner[] => [...owners.values()].filter((owner) => owner.userId === userId);

  return {
    get unknown() {
      return unknown;
    },
    ownerOf: (ssrc) => owners.get(ssrc),
    streamsOf,
    onSpeaking(userId, ssrc, now) {
      if (ssrc === 0) return { ended: [], known: [] };
      const audio = { ssrc, userId, kind: 'audio', rid: '', mainSsrc: ssrc, quality: 0 } as const;
      // A user has one stream of audio: an earlier SSRC of theirs is void.
      const others = streamsOf(userId).filter(({ kind }) => kind === 'audio');
      return assign([audio], others, now);
    },
    onVideo({ userId, audioSsrc, videoSsrc, rtxSsrc, streams }, now) {
      const added: StreamOwner[] = [];
      const add = (kind: 'video' | 'rtx', ssrc: number, mainSsrc: number, rid: string, quality: number): void => {
        if (ssrc !== 0 && !added.some((known) => known.ssrc === ssrc)) {
          added.push({ ssrc, userId, kind, rid, mainSsrc, quality });
        }
      };
      const active = streams.filter(({ active }) => active);
      for (const { ssrc, rtxSsrc: rtx, rid, quality } of active) {
        add('video', ssrc, ssrc, streams.length > 1 ? rid : '', quality);
        if (ssrc !== 0) add('rtx', rtx, ssrc, '', quality);
      }
      // A message without streams still names the main one.
      if (streams.length === 0) {
        add('video', videoSsrc, videoSsrc, '', 100);
        if (videoSsrc !== 0) add('rtx', rtxSsrc, videoSsrc, '', 100);
      }
      const gone = streamsOf(userId).filter(({ kind }) => kind !== 'audio');
      if (audioSsrc !== 0 && !owners.has(audioSsrc) && !added.some(({ ssrc }) => ssrc === audioSsrc)) {
        added.push({ ssrc: audioSsrc, userId, kind: 'audio', rid: '', mainSsrc: audioSsrc, quality: 0 });
        gone.push(...streamsOf(userId).filter(({ kind }) => kind === 'audio'));
      }
      return assign(added, gone, now);
    },
    onUserLeft(userId) {
      return assign([], streamsOf(userId), 0);
    },
    hold(packet, now) {
      let waiting = held.get(packet.ssrc);
      if (waiting === undefined) {
        if (held.size >= MAX_HELD_SSRCS) {
          // The one that has waited longest is the least likely to be announced.
          const [oldest, packets] = held.entries().next().value as [number, Waiting<P>[]];
          unknown += packets.length;
          held.delete(oldest);
        }
        waiting = [];
        held.set(packet.ssrc, waiting);
      }
      while (waiting.length >= MAX_HELD_PACKETS || now - (waiting[0]?.arrivedAt ?? now) > HOLD_MS) {
        waiting.shift();
        unknown += 1;
      }
      waiting.push({ packet, arrivedAt: now });
    },
    clear() {
      const ended = [...owners.values()];
      owners.clear();
      for (const waiting of held.values()) unknown += waiting.length;
      held.clear();
      return { ended, known: [] };
    },
  };
}
