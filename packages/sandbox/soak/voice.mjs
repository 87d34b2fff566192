/** The fuzz runs of voice, long: `npm run soak -- voice [--runs=1000000] [--seed=1]`. */
import { numberOption, runTests } from '../../../tools/lib/soak.mjs';

const runs = numberOption('runs', 1_000_000);
const seed = numberOption('seed', 1);
console.log(`${runs.toLocaleString('en')} inputs for each parser of voice, seed ${seed}`);
runTests(['packages/sandbox/test/chaos/fuzz-voice.test.ts'], { GUILDKIT_FUZZ_RUNS: runs, GUILDKIT_FUZZ_SEED: seed }, [
  '--testTimeout',
  '3600000',
]);
