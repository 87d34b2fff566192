// A Discord that answers every GET at once: as cheap as can be, so that the other core is the client's alone. Counts
// each channel's bucket in windows of a second.
import { createServer } from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');
const LIMIT = 1_000_000;
const WINDOW_MS = 1_000;
const BODY = JSON.stringify({ id: '900000000000000000', type: 0, name: 'table', content: 'x'.repeat(400) });
/** As many headers as Discord sends behind its edge. */
const HEAD = [
  'HTTP/1.1 200 OK',
  'Date: Fri, 02 Jan 2026 03:04:05 GMT',
  'Content-Type: application/json',
  `Content-Length: ${BODY.length}`,
  'Connection: keep-alive',
  `Set-Cookie: __cfruid=${'0'.repeat(40)}-1700000000; path=/; domain=.discord.com; HttpOnly; Secure; SameSite=None`,
  `Set-Cookie: _cfuvid=${'0'.repeat(43)}-1700000000000-0.0.1.1-604800000; path=/; domain=.discord.com; HttpOnly; Secure; SameSite=None`,
  'strict-transport-security: max-age=31536000; includeSubDomains; preload',
  'via: 1.1 google',
  'alt-svc: h3=":443"; ma=86400',
  'cf-cache-status: DYNAMIC',
  'report-to: {"endpoints":[{"url":"https:\\/\\/a.example\\/report\\/v4"}],"group":"cf-nel","max_age":604800}',
  'nel: {"success_fraction":0,"report_to":"cf-nel","max_age":604800}',
  'x-content-type-options: nosniff',
  "content-security-policy: frame-ancestors 'none'; default-src 'none'",
  'Server: cloudflare',
  'CF-RAY: 8f0000000000abcd-FRA',
  'x-ratelimit-bucket: 0123456789abcdef0123456789abcdef',
  `x-ratelimit-limit: ${LIMIT}`,
].join('\r\n');

const buckets = new Map();

function answer(channel) {
  const now = performance.now();
  let bucket = buckets.get(channel);
  if (bucket === undefined || now >= bucket.resetAt) {
    bucket = { left: LIMIT, resetAt: now + WINDOW_MS };
    buckets.set(channel, bucket);
  }
  bucket.left -= 1;
  const resetMs = bucket.resetAt - now;
  const reset = `x-ratelimit-reset: ${((Date.now() + resetMs) / 1_000).toFixed(3)}\r\nx-ratelimit-reset-after: ${(resetMs / 1_000).toFixed(3)}`;
  return `${HEAD}\r\nx-ratelimit-remaining: ${bucket.left}\r\n${reset}\r\n\r\n${BODY}`;
}

/** Requests have no body and are not pipelined: each ends with an empty line. */
const server = createServer({ noDelay: true }, (socket) => {
  let rest;
  socket.on('data', (chunk) => {
    let bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    for (let end = bytes.indexOf(HEAD_END); end >= 0; end = bytes.indexOf(HEAD_END)) {
      const path = bytes.latin1Slice(0, bytes.indexOf(0x0d));
      socket.write(answer(/channels\/(\d+)/.exec(path)?.[1]));
      bytes = bytes.subarray(end + HEAD_END.length);
    }
    rest = bytes.length === 0 ? undefined : bytes;
  });
  socket.on('error', () => {});
});
server.listen(0, '127.0.0.1', () =>
  process.send({ type: 'ready', origin: `http://127.0.0.1:${server.address().port}` }),
);
