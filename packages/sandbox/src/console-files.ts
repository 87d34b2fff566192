/** Owns the console page's files: what is served under `/console`, read once, with headers that forbid anything foreign. */
import { readFileSync } from 'node:fs';
import type { RestResponse } from './rest-api.js';

/** Works from `src` and from `dist`: both lie beside `console`. */
const FOLDER = new URL('../console/', import.meta.url);

const FILES: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  '/console': { file: 'index.html', type: 'text/html' },
  '/console/': { file: 'index.html', type: 'text/html' },
  '/console/console.css': { file: 'console.css', type: 'text/css' },
  '/console/console.js': { file: 'console.js', type: 'text/javascript' },
};

/** Where the console is. */
export const CONSOLE_PATH = '/console';

const read = new Map<string, string>();

/** Answers a request for the console; `undefined` when the path is none of its files. */
export function consoleFile(method: string, target: string): RestResponse | undefined {
  const entry = FILES[target.split('?', 1)[0] ?? ''];
  if (entry === undefined || (method !== 'GET' && method !== 'HEAD')) return undefined;
  const body = read.get(entry.file) ?? readFileSync(new URL(entry.file, FOLDER), 'utf8');
  read.set(entry.file, body);
  return {
    status: 200,
    headers: {
      'content-type': `${entry.type}; charset=utf-8`,
      'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    },
    body,
  };
}
