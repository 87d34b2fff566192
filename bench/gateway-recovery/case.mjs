// One client, one case, one process.
// argv: client, case
import { CLIENTS } from '../lib/gateway-clients.mjs';
import { CASES } from './cases.mjs';
import { createStandIn } from './stand-in.mjs';

const [name, wanted] = process.argv.slice(2);
const { run, options, client: clientOptions } = CASES[wanted];
const received = [];
const told = [];
const unhandled = [];
process.on('unhandledRejection', (error) => unhandled.push(error));
process.on('uncaughtException', (error) => unhandled.push(error));

let settleReady;
const ready = new Promise((resolve) => {
  settleReady = resolve;
});
function onDispatch(dispatch, _seq, data) {
  if (dispatch === 'READY') settleReady();
  if (dispatch === 'TYPING_START') received.push(data.n);
}

const discord = await createStandIn(options);
const client = await CLIENTS[name]({
  url: discord.url,
  intents: 0,
  ...clientOptions,
  onDispatch,
  onTold: (what) => told.push(what),
  subscribe(gateway) {
    for (const dispatch of ['READY', 'TYPING_START']) {
      gateway.onDispatch(dispatch, (data, { seq }) => onDispatch(dispatch, seq, data));
    }
  },
});
await ready;
// Whatever it still does behind READY is not to meet the fault.
await new Promise((resolve) => setTimeout(resolve, 300));
const result = await run({ discord, client, received, told, unhandled });
process.send({ result }, () => process.exit(0));
