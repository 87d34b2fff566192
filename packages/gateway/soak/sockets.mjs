/** A thousand schedules of faults over real sockets, by seed: `npm run soak -- sockets [--schedules=1000]`. */
import { numberOption, runTests } from '../../../tools/lib/soak.mjs';

runTests(['packages/gateway/test/chaos/socket-schedules.test.ts'], {
  GUILDKIT_SOCKET_SCHEDULES: numberOption('schedules', 1_000),
});
