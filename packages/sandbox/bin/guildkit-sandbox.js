#!/usr/bin/env node
/** The `guildkit-sandbox` command. Not built, so that an install can link it before there is a build. */
import { existsSync } from 'node:fs';

const command = new URL('../dist/cli.js', import.meta.url);
if (existsSync(command)) {
  await import(command.href);
} else {
  process.stderr.write('guildkit-sandbox is not built yet: run "npm run build" in the repository\n');
  process.exitCode = 1;
}
