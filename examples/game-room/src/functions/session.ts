/** Owns who calls a server function. */
import { createMiddleware, createServerFn } from '@tanstack/react-start';
import { getRequest, setResponseHeader } from '@tanstack/react-start/server';
import type { App } from '../server/app.js';

async function visitorOf(app: App) {
  const { session, cookies } = await app.login.visit(getRequest());
  if (cookies.length > 0) setResponseHeader('set-cookie', [...cookies]);
  if (session !== null) app.people.remember(session);
  return session;
}

/** Who looks at the page; `null` for nobody that we know. */
export const getViewer = createServerFn().handler(async ({ context: { app } }) => {
  const session = await visitorOf(app);
  const simulated = app.simulation !== undefined;
  if (session === null) return { viewer: null, simulated, operates: false };
  const { userId, username, avatar } = session;
  return { viewer: { userId, username, avatar }, simulated, operates: app.ops.allows(userId) };
});

/** What the pages know of who is logged in. */
export type Viewer = NonNullable<Awaited<ReturnType<typeof getViewer>>['viewer']>;

/** Hands the session on, or `null`: functions say themselves what that means. */
export const withSession = createMiddleware({ type: 'function' }).server(async ({ next, context: { app } }) =>
  next({ context: { session: await visitorOf(app) } }),
);
