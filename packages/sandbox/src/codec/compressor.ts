/** Owns the seam between a connection and how its messages are compressed. */

/** One connection's stream. */
export interface Compressor {
  /** The bytes of the next message. */
  compress(message: string | Buffer): Buffer;
  /** Frees what is held outside of JavaScript's memory. */
  close(): void;
}
