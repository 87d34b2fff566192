/** Owns the way in: who has not logged in sees this. */
import { useLocation } from '@tanstack/react-router';

export function LoginLink({ className = 'button button-light' }: { readonly className?: string }) {
  const { href } = useLocation();
  return (
    <a className={className} href={`/auth/discord/login?returnTo=${encodeURIComponent(href)}`}>
      Log in with Discord
    </a>
  );
}

const STEPS = [
  { title: 'Open a room', text: 'A private voice channel with four seats. Nobody else sees or hears it.' },
  { title: 'Share its link', text: 'Whoever opens it and logs in gets a seat and is brought to the table.' },
  { title: 'Play', text: 'See live who is there, chat, and get back in with one click when somebody drops out.' },
] as const;

/** What stands in the place of a page that is for players. */
export function LoginPage({ simulated, invited = false }: { readonly simulated: boolean; readonly invited?: boolean }) {
  return (
    <div className="page">
      <section className="hero">
        <div>
          <h1>{invited ? 'You are invited to a game room' : 'Game rooms on Discord'}</h1>
          <p className="hero-text">
            {invited
              ? 'Log in with Discord, and you are brought to the table.'
              : 'Open a private voice room for up to four, share a link, and see live who is at the table.'}
          </p>
        </div>
        <LoginLink />
      </section>
      <ol className="steps" aria-label="How it goes">
        {STEPS.map(({ title, text }) => (
          <li key={title}>
            <h2>{title}</h2>
            <p className="quiet">{text}</p>
          </li>
        ))}
      </ol>
      <p className="footnote">
        {simulated ? (
          <>
            <span className="tag">Sandbox</span> Discord is simulated on this machine: choose whom to be, no account is
            needed.
          </>
        ) : (
          'We learn your name and picture from Discord, and may add you to the server of the rooms.'
        )}
      </p>
    </div>
  );
}
