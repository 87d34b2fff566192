/** Owns the question that is asked when a player is no longer in voice. Discord does not say whether they left or were removed. */
import { useEffect, useRef } from 'react';

interface DropoutDialogProps {
  readonly isOpen: boolean;
  readonly isBusy: boolean;
  /** Whether anybody is still there. */
  readonly hasOthers: boolean;
  readonly problem: string | undefined;
  readonly onRejoin: () => void;
  readonly onDismiss: () => void;
}

export function DropoutDialog({ isOpen, isBusy, hasOthers, problem, onRejoin, onDismiss }: DropoutDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isOpen && !dialog.current?.open) dialog.current?.showModal();
    if (!isOpen) dialog.current?.close();
  }, [isOpen]);
  // Escape cancels. Its `close` event comes later and by every way: it might answer a question that was asked since.
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="dropout-title" data-testid="dropout" onCancel={onDismiss}>
      <h2 id="dropout-title">You are no longer in voice</h2>
      <p className="quiet">
        You left the voice channel, or were removed from it.{hasOthers && ' The others are still there.'}
      </p>
      <p className="problem" role="alert">
        {problem}
      </p>
      <div className="field-row">
        <button type="button" className="button button-primary" disabled={isBusy} onClick={onRejoin}>
          {isBusy ? 'Rejoining…' : 'Rejoin'}
        </button>
        <button type="button" className="button" onClick={onDismiss}>
          Stay out
        </button>
      </div>
    </dialog>
  );
}
