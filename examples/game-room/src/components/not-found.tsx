import { useConnection } from '@guildkit/realtime-client/react';
import { Link, useRouter } from '@tanstack/react-router';
import { useEffect, useState } from 'react';

/** A room that is not known: because there is none, or because Discord has not told the server its rooms yet. */
export function NotFound() {
  const { degraded } = useConnection();
  const [waited, setWaited] = useState(false);
  const router = useRouter();

  useEffect(() => {
    if (degraded) setWaited(true);
    // Now the server knows every room: ask once more.
    else if (waited) void router.invalidate();
  }, [degraded, waited, router]);

  if (degraded) {
    return (
      <section className="message-page" role="status" data-testid="unknown-room">
        <h1>No news from Discord yet</h1>
        <p className="quiet">We do not know yet which rooms there are. This page looks again by itself.</p>
      </section>
    );
  }
  return (
    <section className="message-page">
      <h1>There is no such room</h1>
      <p className="quiet">It may have been deleted in Discord, or the address is not quite right.</p>
      <Link to="/" className="button button-primary">
        See all rooms
      </Link>
    </section>
  );
}

/** An address at which there is nothing, or nothing for this visitor. */
export function PageNotFound() {
  return (
    <section className="message-page">
      <h1>There is no such page</h1>
      <p className="quiet">The address is not quite right, or the page is not for you.</p>
      <Link to="/" className="button button-primary">
        See all rooms
      </Link>
    </section>
  );
}
