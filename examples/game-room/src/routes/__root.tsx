import interUrl from '@fontsource-variable/inter/files/inter-latin-wght-normal.woff2?url';
import { createRootRoute, HeadContent, Link, Outlet, Scripts, useLocation } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { Avatar } from '../components/avatar.js';
import { ConnectionMark, ConnectionNotice } from '../components/connection-status.js';
import { TableMark } from '../components/icons.js';
import { LoginPage } from '../components/login.js';
import { Realtime } from '../components/realtime.js';
import { getViewer, type Viewer } from '../functions/session.js';
import styles from '../styles/app.css?url';

export const Route = createRootRoute({
  loader: () => getViewer(),
  head: () => ({
    meta: [
      { charSet: 'utf-8' },
      { name: 'viewport', content: 'width=device-width, initial-scale=1' },
      { name: 'color-scheme', content: 'light dark' },
      {
        name: 'description',
        content: 'Private voice rooms on Discord: open one, share a link, see live who is there.',
      },
      { title: 'Game rooms' },
    ],
    links: [
      { rel: 'preload', href: interUrl, as: 'font', type: 'font/woff2', crossOrigin: 'anonymous' },
      { rel: 'stylesheet', href: styles },
      { rel: 'icon', href: '/favicon.svg', type: 'image/svg+xml' },
    ],
  }),
  component: Root,
});

function Root() {
  const { viewer, simulated } = Route.useLoaderData();
  const { pathname } = useLocation();
  return (
    <html lang="en">
      <head>
        <HeadContent />
      </head>
      <body>
        <a className="skip-link" href="#main">
          Skip to content
        </a>
        {viewer === null ? (
          <Frame>
            <LoginPage simulated={simulated} invited={pathname.startsWith('/join/')} />
          </Frame>
        ) : (
          <Realtime>
            <Frame viewer={viewer}>
              <Outlet />
            </Frame>
            <ConnectionNotice />
          </Realtime>
        )}
        <Scripts />
      </body>
    </html>
  );
}

function Frame({ viewer, children }: { readonly viewer?: Viewer; readonly children: ReactNode }) {
  return (
    <>
      <header className="top">
        <Link to="/" className="brand">
          <TableMark />
          <span className="brand-name">Game rooms</span>
        </Link>
        {viewer !== undefined && (
          <div className="top-right">
            <ConnectionMark />
            <Account viewer={viewer} />
          </div>
        )}
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

/** A form, so that it works before the page's script does. */
function Account({ viewer: { userId, username } }: { readonly viewer: Viewer }) {
  return (
    <form className="account" method="post" action="/auth/discord/logout">
      <Avatar id={userId} name={username} size="small" />
      <span className="account-name" data-testid="viewer">
        {username}
      </span>
      <button type="submit" className="button button-small">
        Log out
      </button>
    </form>
  );
}
