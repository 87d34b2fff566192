/** Owns who is heard: from the first sound until five packets of silence, or until nothing comes any more. */

/** Discord's clients end talk with so many packets of silence. */
const SILENT_PACKETS = 5;

/** What was played. */
export type Heard = 'sound' | 'silence' | 'nothing';

/** Follows one stream. */
export interface TalkDetector {
  readonly talking: boolean;
  /** @returns Whether talk has begun or ended with this. */
  hear(heard: Heard): boolean;
}

/** Makes the detector of one stream. */
export function createTalkDetector(): TalkDetector {
  let talking = false;
  let silent = 0;
  return {
    get talking() {
      return talking;
    },
    hear(heard) {
      const before = talking;
      if (heard === 'sound') {
        silent = 0;
        talking = true;
      } else if (heard === 'nothing') {
        talking = false;
      } else {
        silent += 1;
        if (silent >= SILENT_PACKETS) talking = false;
      }
      return talking !== before;
    },
  };
}
