/** Owns which SSRCs are taken, and deals out seats with free ones. */
import type { SeededRandom } from '../protocol/random.js';
import type { Seat, SeatStream } from '../protocol/voice/session-types.js';

/** Streams a client may ask for in Identify. */
const MAX_STREAMS = 3;
const STREAM_TYPES: readonly string[] = ['video', 'screen'];
/** As Ready has it for a client that named no stream. */
const ONE_STREAM = [{ type: 'video', rid: '', quality: 0 }] as const;

/** A stream that a client asks for. */
type Asked = Pick<SeatStream, 'type' | 'rid' | 'quality'>;

/** The seats of a media server. */
export class Seats {
  private readonly taken = new Set<number>();

  constructor(
    private readonly random: SeededRandom,
    /** What every seat has: where media goes, and the modes. */
    private readonly shared: () => Pick<Seat, 'ip' | 'port' | 'modes'>,
  ) {}

  /** A seat whose SSRCs are free; they stay so until it is occupied. Streams of an unknown type are left out. */
  make(asked: readonly Asked[] = []): Seat {
    const own = new Set<number>();
    const next = (): number => {
      for (;;) {
        const ssrc = Math.floor(this.random() * 2 ** 32);
        if (ssrc === 0 || this.taken.has(ssrc) || own.has(ssrc)) continue;
        own.add(ssrc);
        return ssrc;
      }
    };
    const known = asked.filter(({ type }) => STREAM_TYPES.includes(type)).slice(0, MAX_STREAMS);
    const audioSsrc = next();
    const streams = (known.length === 0 ? ONE_STREAM : known).map(
      ({ type, rid, quality }): SeatStream => ({ type, rid, quality, ssrc: next(), rtxSsrc: next() }),
    );
    return { audioSsrc, streams, ...this.shared() };
  }

  occupy(seat: Seat): void {
    for (const ssrc of ssrcsOf(seat)) this.taken.add(ssrc);
  }

  vacate(seat: Seat): void {
    for (const ssrc of ssrcsOf(seat)) this.taken.delete(ssrc);
  }
}

/** Everything that comes from a seat carries one of these. */
export const ssrcsOf = ({ audioSsrc, streams }: Seat): readonly number[] => [
  audioSsrc,
  ...streams.flatMap(({ ssrc, rtxSsrc }) => [ssrc, rtxSsrc]),
];
