/** Owns how a place in a room's log is named. */

/** A place in a room's log. Positions of different epochs cannot be compared. */
export interface Position {
  /** Names the life of the log. */
  readonly epoch: string;
  readonly seq: number;
}
