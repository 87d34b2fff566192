import { type ErrorComponentProps, useRouter } from '@tanstack/react-router';

/** Says that something failed, not what: details are in the server's log. */
export function PageError({ reset }: ErrorComponentProps) {
  const router = useRouter();
  return (
    <section className="message-page" role="alert">
      <h1>This page could not be shown</h1>
      <p className="quiet">Something went wrong on our side. Nothing you did is lost.</p>
      <button
        type="button"
        className="button button-primary"
        onClick={() => {
          reset();
          void router.invalidate();
        }}
      >
        Try again
      </button>
    </section>
  );
}
