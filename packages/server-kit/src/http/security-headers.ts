/** Owns the headers that every answer of an API carries (OWASP Secure Headers Project). */

/**
 * Headers for answers that are no pages. A page needs a `Content-Security-Policy` of its own: what is set already is left.
 * Without `Strict-Transport-Security`: whether the site is reached over TLS alone is known by who runs it.
 */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-site',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** Adds headers that an answer does not have yet. An answer whose headers cannot be changed is copied. */
export function withHeaders(response: Response, headers: Readonly<Record<string, string>>): Response {
  const missing = Object.entries(headers).filter(([name]) => name === 'vary' || !response.headers.has(name));
  if (missing.length === 0) return response;
  const target = isChangeable(response) ? response : new Response(response.body, response);
  for (const [name, value] of missing) {
    if (name === 'vary') target.headers.append(name, value);
    else target.headers.set(name, value);
  }
  return target;
}

function isChangeable({ headers }: Response): boolean {
  try {
    // Answers of fetch() and of Response.redirect() are immutable.
    headers.delete('x-guildkit-probe');
    return true;
  } catch {
    return false;
  }
}
