/**
 * Owns the way from one address to several processes of the app: for a demo and for tests. A browser stays with its process
 * as long as that is there (a stream and what is posted to it belong together), by a cookie; new ones go where the fewest
 * connections are. Refuses TLS, and anything else that a load balancer of one's own does better.
 */
import { Agent, createServer, get, request } from 'node:http';
import { connect } from 'node:net';

/** Names the process that a browser stays with. */
const COOKIE = 'game_room_app';
const CHECK_EVERY_MS = 250;
/** How long a process may take to say how it is. */
const CHECK_MS = 2_000;
/** Headers of one connection, not of the message (RFC 9110, 7.6.1). */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);

/**
 * @typedef {object} Backend
 * @property {string} id stays the same when a process is started again in its place
 * @property {URL} url
 * @property {'down' | 'up' | 'draining'} state
 * @property {number} connections requests and sockets that are under way
 * @property {number} chosen when it was chosen last: of several with as many connections it is the others' turn
 */

/**
 * @param {{ host?: string, port?: number, log?: (line: string) => void }} [options]
 */
export async function createBalancer({ host = '127.0.0.1', port = 0, log = () => {} } = {}) {
  /** @type {Map<string, Backend>} */
  const backends = new Map();
  /** @type {Set<import('node:stream').Duplex>} */
  const sockets = new Set();
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

  let turn = 0;
  /** The one that the cookie names, else the one with the fewest connections. */
  function choose(cookies = '', tried = new Set()) {
    const up = [...backends.values()].filter((backend) => backend.state === 'up' && !tried.has(backend));
    const id = new RegExp(`(?:^|; *)${COOKIE}=([\\w-]+)`).exec(cookies)?.[1];
    const chosen =
      up.find((backend) => backend.id === id) ??
      up.sort((a, b) => a.connections - b.connections || a.chosen - b.chosen)[0];
    turn += 1;
    if (chosen !== undefined) chosen.chosen = turn;
    return chosen;
  }

  /** @param {import('node:http').IncomingMessage} incoming */
  function headersFor(incoming) {
    const headers = Object.fromEntries(Object.entries(incoming.headers).filter(([name]) => !HOP_BY_HOP.has(name)));
    return { ...headers, 'x-forwarded-for': incoming.socket.remoteAddress ?? '', 'x-forwarded-proto': 'http' };
  }

  /**
   * @param {import('node:http').IncomingMessage} incoming
   * @param {import('node:http').ServerResponse} outgoing
   */
  function pass(incoming, outgoing, tried = new Set()) {
    const backend = choose(incoming.headers.cookie, tried);
    if (backend === undefined) {
      outgoing
        .writeHead(503, { 'content-type': 'text/plain', 'retry-after': '1' })
        .end('No process of the app is up.\n');
      return;
    }
    const { url, id } = backend;
    const { method, url: path } = incoming;
    backend.connections += 1;
    const proxied = request({ agent, host: url.hostname, port: url.port, method, path, headers: headersFor(incoming) });
    const over = once(() => {
      backend.connections -= 1;
    });
    proxied.on('response', (answer) => {
      const headers = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !HOP_BY_HOP.has(name)));
      if (!incoming.headers.cookie?.includes(`${COOKIE}=${id}`)) {
        headers['set-cookie'] = [
          ...(answer.headers['set-cookie'] ?? []),
          `${COOKIE}=${id}; Path=/; HttpOnly; SameSite=Lax`,
        ];
      }
      outgoing.writeHead(answer.statusCode ?? 502, headers);
      // A stream's first event may be long in coming.
      outgoing.flushHeaders();
      answer.pipe(outgoing);
      answer.on('error', () => outgoing.destroy());
    });
    proxied.on('error', (error) => {
      over();
      if (outgoing.headersSent || outgoing.destroyed) {
        outgoing.destroy();
        return;
      }
      const isNew = /** @type {NodeJS.ErrnoException} */ (error).code === 'ECONNREFUSED';
      if (isNew) mark(backend, 'down');
      // Nothing was done there, or nothing that may not be done again; a body that has been read is gone.
      if (method === 'GET' || method === 'HEAD') pass(incoming, outgoing, tried.add(backend));
      else outgoing.writeHead(502, { 'content-type': 'text/plain' }).end('The process of the app has gone.\n');
    });
    proxied.on('close', over);
    outgoing.on('close', () => proxied.destroy());
    incoming.pipe(proxied);
  }

  /**
   * @param {import('node:http').IncomingMessage} incoming
   * @param {import('node:stream').Duplex} near
   * @param {Buffer} head
   */
  function upgrade(incoming, near, head, tried = new Set()) {
    const backend = choose(incoming.headers.cookie, tried);
    if (backend === undefined) {
      near.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    let isOpen = false;
    const far = connect(Number(backend.url.port), backend.url.hostname);
    backend.connections += 1;
    far.on('connect', () => {
      isOpen = true;
      const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
      // As they came, in their order and spelling: this is the one request of this connection.
      for (let at = 0; at < incoming.rawHeaders.length; at += 2) {
        lines.push(`${incoming.rawHeaders[at]}: ${incoming.rawHeaders[at + 1]}`);
      }
      far.write(`${lines.join('\r\n')}\r\nX-Forwarded-For: ${incoming.socket.remoteAddress}\r\n\r\n`);
      far.write(head);
      near.pipe(far).pipe(near);
    });
    far.on('error', () => {
      if (isOpen || near.destroyed) return;
      mark(backend, 'down');
      upgrade(incoming, near, head, tried.add(backend));
    });
    far.on('close', () => {
      backend.connections -= 1;
      // What has come from there still goes on its way.
      if (isOpen) /** @type {import('node:net').Socket} */ (near).destroySoon();
    });
    near.on('close', () => far.destroy());
  }

  /** @param {Backend} backend @param {Backend['state']} state */
  function mark(backend, state) {
    if (backend.state === state || backends.get(backend.id) !== backend) return;
    backend.state = state;
    log(`${backend.id} at ${backend.url.host} is ${state}`);
  }

  /** @param {Backend} backend */
  function check(backend) {
    if (backend.state === 'draining') return;
    const asked = get(
      { host: backend.url.hostname, port: backend.url.port, path: '/health', timeout: CHECK_MS },
      (answer) => {
        let text = '';
        answer.on('data', (part) => {
          text += part;
        });
        // Discord or Redis being away is no reason to send nobody there: the others have them no more than this one.
        answer.on(
          'end',
          () => backend.state !== 'draining' && mark(backend, /"status":"(ok|degraded)"/.test(text) ? 'up' : 'down'),
        );
      },
    );
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => backend.state === 'up' && mark(backend, 'down'));
  }

  const timer = setInterval(() => {
    for (const backend of backends.values()) check(backend);
  }, CHECK_EVERY_MS);
  const server = createServer((incoming, outgoing) => pass(incoming, outgoing));
  server.on('upgrade', (incoming, socket, head) => {
    socket.on('error', () => {});
    upgrade(incoming, socket, head);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(undefined));
  });

  return {
    /** Where browsers go. */
    url: `http://localhost:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`,
    backends: () =>
      [...backends.values()].map(({ id, url, state, connections }) => ({ id, url: url.href, state, connections })),
    /**
     * Sends browsers there as soon as it says that it is well; in the place of one of the same id.
     *
     * @param {string} id
     * @param {string} url
     */
    add(id, url) {
      backends.set(id, { id, url: new URL(url), state: 'down', connections: 0, chosen: 0 });
    },
    /** Sends nobody there any more; what is under way goes on. @param {string} id */
    drain(id) {
      const backend = backends.get(id);
      if (backend !== undefined) mark(backend, 'draining');
    },
    async close() {
      clearInterval(timer);
      agent.destroy();
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** @param {() => void} action */
function once(action) {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    action();
  };
}
