/** Owns the address of the voice gateway: from what a voice server update names to a WebSocket URL, or to nothing. */

/** How a voice gateway is spoken to. `auto`: TLS, but plain where a loopback endpoint asks for it. */
export type EndpointScheme = 'auto' | 'wss' | 'ws';

/**
 * Builds the URL of gateway version 8.
 *
 * Discord names `host` or `host:port`. The sandbox may name `ws://127.0.0.1:port`: plain text is taken from an endpoint
 * only on loopback, so that nothing from outside can take TLS away.
 *
 * @returns `undefined` when the endpoint is no address.
 */
export function voiceUrl(endpoint: string, scheme: EndpointScheme): string | undefined {
  const parts = /^(?:(wss?):\/\/)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}))(?::(\d{1,5}))?\/?$/.exec(
    endpoint,
  );
  if (parts === null) return undefined;
  const [, named, host = '', port] = parts;
  if (port !== undefined && (Number(port) === 0 || Number(port) > 65_535)) return undefined;
  const isLoopback = /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])$/i.test(host);
  const plain = scheme === 'ws' || (scheme === 'auto' && named === 'ws');
  if (plain && scheme === 'auto' && !isLoopback) return undefined;
  return `${plain ? 'ws' : 'wss'}://${host}${port === undefined ? '' : `:${port}`}/?v=8`;
}
