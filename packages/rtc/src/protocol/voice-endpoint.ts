/** Owns the address of the voice gateway: from what a voice server update names to WebSocket URLs, or to nothing. */

/**
 * How a voice gateway is spoken to. `auto`: TLS; on loopback plain text first, then TLS, for a sandbox with or without it.
 */
export type EndpointScheme = 'auto' | 'wss' | 'ws';

/**
 * Builds the URLs of gateway version 8, to be tried in this order.
 *
 * Discord names `host` or `host:port`. Plain text is taken from an endpoint only on loopback, so that nothing from outside can
 * take TLS away.
 *
 * @returns Nothing when the endpoint is no address.
 */
export function voiceUrls(endpoint: string, scheme: EndpointScheme): readonly string[] {
  const parts = ADDRESS.exec(endpoint);
  if (parts === null) return [];
  const [, named, host = '', port] = parts;
  if (port !== undefined && (Number(port) === 0 || Number(port) > 65_535)) return [];
  const isLoopback = LOOPBACK.test(host);
  if (scheme === 'auto' && named === 'ws' && !isLoopback) return [];
  const schemes = scheme !== 'auto' ? [scheme] : named !== undefined ? [named] : isLoopback ? ['ws', 'wss'] : ['wss'];
  return schemes.map((name) => `${name}://${host}${port === undefined ? '' : `:${port}`}/?v=8`);
}

const ADDRESS = /^(?:(wss?):\/\/)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]{0,252})(?::(\d{1,5}))?\/?$/;
const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])$/i;
