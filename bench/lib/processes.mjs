/** Child processes that talk to their parent, and the options of a bench. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Starts a module of the bench; it ends with its parent. */
export function startProcess(url, args, execArgv = []) {
  const child = fork(fileURLToPath(url), args.map(String), { execArgv });
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  return child;
}

/**
 * The next message of a child, of one `type` if that is given.
 *
 * @throws Error (rejects) when the child ends before, or takes longer than `timeoutMs`.
 */
export function messageFrom(child, type, timeoutMs) {
  return new Promise((resolve, reject) => {
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(() => settle(reject, new Error('timed out')), timeoutMs);
    const onMessage = (message) => {
      if (type === undefined || message.type === type) settle(resolve, message);
    };
    const onExit = (code, signal) => settle(reject, new Error(`ended with ${signal ?? code}`));
    const settle = (how, value) => {
      clearTimeout(timer);
      child.off('message', onMessage);
      child.off('exit', onExit);
      how(value);
    };
    child.on('message', onMessage);
    child.on('exit', onExit);
  });
}

/** `--events=1000 --dry` as `{ events: 1000, dry: true }`. */
export function optionsOf(args) {
  return Object.fromEntries(
    args.map((argument) => {
      const [name, value = 'true'] = argument.replace(/^--/, '').split('=');
      const isNumber = value !== '' && !Number.isNaN(Number(value));
      return [name, value === 'true' ? true : isNumber ? Number(value) : value];
    }),
  );
}
