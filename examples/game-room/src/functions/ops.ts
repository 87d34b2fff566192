/** The server function behind the page /ops. For whoever may not see it there is no such page. */
import { notFound } from '@tanstack/react-router';
import { createServerFn } from '@tanstack/react-start';
import { withSession } from './session.js';

/** How the process that answers is. */
export const getOps = createServerFn()
  .middleware([withSession])
  .handler(async ({ context: { app, session } }) => {
    if (session === null) return undefined;
    if (!app.ops.allows(session.userId)) throw notFound();
    return app.ops.view();
  });

/** What the page shows. */
export type OpsPage = NonNullable<Awaited<ReturnType<typeof getOps>>>;
