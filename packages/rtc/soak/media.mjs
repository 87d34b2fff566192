/**
 * Hostile packets and files, a million of each; audio and video in the sandbox for a minute, in every mode and over a bad
 * network; video over a thousand networks for each codec, a thousand courses of calls to the senders:
 * `npm run soak -- media [--inputs=1000000] [--seed=1] [--seconds=60] [--runs=1000]`.
 */
import { numberOption, runTests } from '../../../tools/lib/soak.mjs';

const files = [
  'contract/media-fuzz',
  'contract/media-sandbox',
  'model/video-link',
  'model/audio-output',
  'model/video-output',
].map((name) => `packages/rtc/test/${name}.test.ts`);
runTests(files, {
  GUILDKIT_FUZZ_INPUTS: numberOption('inputs', 1_000_000),
  GUILDKIT_FUZZ_SEED: numberOption('seed', 1),
  GUILDKIT_SOAK_SECONDS: numberOption('seconds', 60),
  GUILDKIT_SOAK_RUNS: numberOption('runs', 1_000),
});
