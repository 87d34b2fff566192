#!/usr/bin/env node
/** The `guildkit-sandbox` command's entry: binds it to the process. */
import { runCommand } from './command.js';

void runCommand(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  onStop(stop) {
    // A second signal is left to Node, which then ends the process at once.
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
  },
}).then((code) => {
  process.exitCode = code;
});
