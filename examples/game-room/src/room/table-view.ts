/** Owns what components draw of the table. Refuses media: this much is loaded by who only looks on. */

/** How the table is reached. `full`: no seat is free; tried again by itself, like `lost`. */
export type TableStatus = 'off' | 'connecting' | 'open' | 'full' | 'lost' | 'refused';

/** A camera or a microphone of this page. */
export type DeviceStatus = 'off' | 'starting' | 'on';

/** Somebody else at the table. */
export interface TablePerson {
  readonly userId: string;
  /** Number of their video's stream, when they have ever shown something. */
  readonly video: number | undefined;
  /** Pictures come. */
  readonly showing: boolean;
  readonly speaking: boolean;
}

/** What components draw. A new object whenever something has changed. */
export interface TableView {
  readonly status: TableStatus;
  readonly microphone: DeviceStatus;
  readonly camera: DeviceStatus;
  /** The own picture, while the camera is on. */
  readonly preview: MediaStream | undefined;
  readonly speaking: boolean;
  readonly problem: string | undefined;
  readonly people: readonly TablePerson[];
}

/** Nobody has sat down. */
export const TABLE_OFF: TableView = {
  status: 'off',
  microphone: 'off',
  camera: 'off',
  preview: undefined,
  speaking: false,
  problem: undefined,
  people: [],
};
