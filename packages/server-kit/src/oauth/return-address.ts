/** Owns where a browser goes after the login: somewhere on this site, never elsewhere. */

const MAX_LENGTH = 1_000;

/**
 * The path, query and fragment of an address on `origin`; `/` for anything else. What is returned begins with exactly one
 * slash, so no browser can read it as another host.
 */
export function safeReturnAddress(address: string | null | undefined, origin: string): string {
  if (typeof address !== 'string' || address.length > MAX_LENGTH) return '/';
  // Browsers drop tabs and line feeds anywhere, and take a backslash for a slash: none of that is an address of ours.
  if (!address.startsWith('/') || /[\u0000-\u0020\u007f-\u009f\\]/.test(address)) return '/';
  if (!URL.canParse(address, origin)) return '/';
  const url = new URL(address, origin);
  const path = `${url.pathname}${url.search}${url.hash}`;
  // `/.//evil.example` is normalised to `//evil.example`.
  return url.origin === origin && !path.startsWith('//') ? path : '/';
}
