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
