import { Link } from '@tanstack/react-router';

export function NotFound() {
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
