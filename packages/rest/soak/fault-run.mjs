/** The fault run over 20,000 requests: `npm run soak -- rest [--requests=20000]`. */
import { numberOption, runTests } from '../../../tools/lib/soak.mjs';

runTests(['packages/rest/test/chaos/fault-run.test.ts'], { SOAK_REQUESTS: numberOption('requests', 20_000) });
