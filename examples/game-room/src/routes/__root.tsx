import interUrl from '@fontsource-variable/inter/files/inter-latin-wght-normal.woff2?url';
import { createRootRoute, HeadContent, Link, Outlet, Scripts } from '@tanstack/react-router';
import { ConnectionMark, ConnectionNotice } from '../components/connection-status.js';
import { TableMark } from '../components/icons.js';
import { Realtime } from '../components/realtime.js';
import styles from '../styles/app.css?url';

export const Route = createRootRoute({
  head: () => ({
    meta: [
      { charSet: 'utf-8' },
      { name: 'viewport', content: 'width=device-width, initial-scale=1' },
      { name: 'color-scheme', content: 'light dark' },
      { name: 'description', content: 'See live who is in your Discord voice rooms.' },
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
  return (
    <html lang="en">
      <head>
        <HeadContent />
      </head>
      <body>
        <a className="skip-link" href="#main">
          Skip to content
        </a>
        <Realtime>
          <header className="top">
            <Link to="/" className="brand">
              <TableMark />
              Game rooms
            </Link>
            <ConnectionMark />
          </header>
          <main id="main" tabIndex={-1}>
            <Outlet />
          </main>
          <ConnectionNotice />
        </Realtime>
        <Scripts />
      </body>
    </html>
  );
}
