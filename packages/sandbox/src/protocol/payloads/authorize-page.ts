/** Owns the authorize page: plain HTML that works without scripts, by keyboard and with a screen reader. */
import { type AuthorizeRequest, originOf, SCOPES } from '../oauth/authorize.js';
import type { User } from '../world/types.js';

/** What the page shows. */
export interface AuthorizePage {
  readonly request: AuthorizeRequest;
  readonly clientName: string;
  /** Who can log in. */
  readonly people: readonly { readonly user: User; readonly isMember: boolean }[];
  /** Who is chosen already. */
  readonly chosen: string | undefined;
  /** Sent back with the form. */
  readonly fields: Readonly<Record<string, string>>;
}

const STYLE = `
:root{color-scheme:light dark;--bg:#f2f3f5;--card:#fff;--ink:#1f2228;--dim:#5c6270;--line:#d6d9e0;--accent:#4752c4;--on:#fff}
@media (prefers-color-scheme:dark){:root{--bg:#1a1b1e;--card:#2a2c31;--ink:#f2f3f5;--dim:#b3b8c2;--line:#44474f;--accent:#8891f2;--on:#14151a}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--bg);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{width:100%;max-width:27rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.5rem}
h1{font-size:1.25rem;line-height:1.3;margin:0 0 .25rem;overflow-wrap:anywhere}
p,li{color:var(--dim)}p{margin:.25rem 0 1rem}ul{margin:.25rem 0 1rem;padding-left:1.25rem}
fieldset{border:0;margin:0 0 1rem;padding:0;max-height:16rem;overflow:auto}
legend,h2{font-size:.875rem;font-weight:600;margin:0 0 .25rem;padding:0}
label{display:flex;gap:.6rem;align-items:center;padding:.5rem .6rem;border:1px solid var(--line);border-radius:.5rem;margin:2px 2px .4rem;cursor:pointer;overflow-wrap:anywhere}
label:has(:checked){border-color:var(--accent);box-shadow:0 0 0 1px var(--accent)}
label small{color:var(--dim);margin-left:auto}
input{accent-color:var(--accent)}
.acts{display:flex;gap:.75rem}
button{flex:1;font:inherit;font-weight:600;padding:.65rem 1rem;border-radius:.5rem;border:1px solid var(--line);background:transparent;color:var(--ink);cursor:pointer}
button.yes{background:var(--accent);border-color:var(--accent);color:var(--on)}
button:focus-visible,input:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
footer{margin-top:1rem;font-size:.8125rem;color:var(--dim);overflow-wrap:anywhere}
`;

/** The page that asks. */
export function authorizePage({ request, clientName, people, chosen, fields }: AuthorizePage): string {
  const name = asHtml(clientName);
  const hidden = Object.entries(fields)
    .map(([field, value]) => `<input type="hidden" name="${asHtml(field)}" value="${asHtml(value)}">`)
    .join('');
  const first = people.some(({ user }) => user.id === chosen) ? chosen : people[0]?.user.id;
  const choices = people
    .map(({ user, isMember }) => {
      const checked = user.id === first ? ' checked' : '';
      const note = isMember ? '' : '<small>not in the server</small>';
      return `<label><input type="radio" name="user_id" value="${user.id}" required${checked}><span>${asHtml(user.username)}</span>${note}</label>`;
    })
    .join('');
  const wants = request.scopes.map((scope) => `<li>${SCOPES[scope]} <small>(${scope})</small></li>`).join('');
  const nobody = '<p role="status">There is nobody yet. Create a person in the sandbox, then load this page again.</p>';
  return page(
    `Authorize ${name}`,
    `<h1>${name} wants to access an account</h1>
<p>This is a sandbox: choose who you are.</p>
<form method="post" action="/oauth2/authorize">${hidden}
${people.length === 0 ? nobody : `<fieldset><legend>Continue as</legend>${choices}</fieldset>`}
<h2 id="wants">${name} will be able to</h2><ul aria-labelledby="wants">${wants}</ul>
<div class="acts"><button name="decision" value="deny" formnovalidate>Cancel</button>${
      people.length === 0 ? '' : '<button class="yes" name="decision" value="approve">Authorize</button>'
    }</div>
</form>
<footer>You will return to ${asHtml(originOf(request.redirectUri))}</footer>`,
  );
}

/** The page for a request that leads nowhere. */
export const refusalPage = (says: string): string =>
  page('Cannot authorize', `<h1>This request cannot be authorized</h1><p role="alert">${asHtml(says)}</p>`);

const page = (title: string, body: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${title}</title><style>${STYLE}</style></head><body><main>${body}</main></body></html>`;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as HTML. */
const asHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (char) => ENTITIES[char] ?? char);
