/** Owns reading and writing cookies (RFC 6265bis). */

/** Names and flags of the site's cookies. */
export interface CookieJar {
  /** The value of a cookie; `undefined` when it is not there. */
  read(headers: Headers, name: string): string | undefined;
  /** A `Set-Cookie` header. */
  write(name: string, value: string, maxAgeSeconds: number): string;
  /** A `Set-Cookie` header that removes it. */
  clear(name: string): string;
  /** Names of the cookies that begin so. */
  names(headers: Headers, beginning: string): readonly string[];
}

/**
 * Cookies of one site. Whether they are `Secure` follows from the public address, not from the request: behind a proxy that
 * ends TLS every request looks like plain HTTP. `__Host-` keeps other hosts of the same domain from setting them.
 */
export function createCookieJar(origin: string): CookieJar {
  const secure = origin.startsWith('https:');
  const prefix = secure ? '__Host-' : '';
  const flags = `Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
  const write = (name: string, value: string, maxAgeSeconds: number): string =>
    `${prefix}${name}=${value}; Max-Age=${maxAgeSeconds}; ${flags}`;
  return {
    read: (headers, name) => pairs(headers).find(([key]) => key === `${prefix}${name}`)?.[1],
    write,
    clear: (name) => write(name, '', 0),
    names: (headers, beginning) =>
      pairs(headers).flatMap(([key]) => (key.startsWith(`${prefix}${beginning}`) ? [key.slice(prefix.length)] : [])),
  };
}

function pairs(headers: Headers): readonly (readonly [string, string])[] {
  return (headers.get('cookie') ?? '').split(';').flatMap((pair) => {
    const at = pair.indexOf('=');
    return at < 1 ? [] : [[pair.slice(0, at).trim(), pair.slice(at + 1).trim()] as const];
  });
}
