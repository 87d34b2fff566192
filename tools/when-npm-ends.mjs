// npm hands no signal on to what its scripts started: `kill <npm>` would leave the app running. So the app looks
// whether the processes between npm and itself are still there. Linux only; elsewhere Ctrl+C reaches all of them anyway.
import { readFileSync } from 'node:fs';

const LOOK_MS = 500;
const MAX_ANCESTORS = 20;

/** Calls back once when a process between this one and `npm start` has gone. Keeps no process alive. */
export function whenNpmEnds(callback) {
  const watched = ancestorsUpToNpm();
  if (watched.length === 0) return;
  const timer = setInterval(() => {
    if (watched.every(isAlive)) return;
    clearInterval(timer);
    callback();
  }, LOOK_MS);
  timer.unref();
}

/** Empty when this was not started by `npm start`. */
function ancestorsUpToNpm() {
  const found = [];
  for (let pid = process.ppid; pid > 1 && found.length < MAX_ANCESTORS; pid = parentOf(pid)) {
    found.push(pid);
    if (/^npm (start|run)/.test(read(`/proc/${pid}/cmdline`).replaceAll('\0', ' '))) return found;
  }
  return [];
}

/** proc(5): the fourth field of `stat`, after a name in brackets that may hold spaces and brackets. */
function parentOf(pid) {
  const stat = read(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0);
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
