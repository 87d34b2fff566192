/** Owns which pages may open the socket and ask for tokens. */

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * With a base URL, its origin alone. Without one, pages of this machine that were served from the host that they
 * talk to: a foreign name that resolves to 127.0.0.1 (DNS rebinding) has neither.
 */
export function isAllowedOrigin(baseUrl: URL | undefined, origin: string, hostHeader: string | undefined): boolean {
  if (baseUrl !== undefined) return origin === baseUrl.origin;
  if (!URL.canParse(origin)) return false;
  const { hostname, host } = new URL(origin);
  return LOOPBACK.has(hostname) && host === hostHeader;
}

/**
 * Where a page is from that asks its own origin: such a GET carries no `Origin`, but a header that no page can forge.
 * Browsers send it over https and to this machine.
 */
export function sameOrigin(baseUrl: URL | undefined, headers: Headers): string | undefined {
  if (headers.get('sec-fetch-site') !== 'same-origin') return undefined;
  return baseUrl?.origin ?? `http://${headers.get('host')}`;
}
