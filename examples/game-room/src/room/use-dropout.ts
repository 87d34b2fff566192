/** Owns whether a player has dropped out of voice: was there, is not any more, and did not ask for it. */
import { useCallback, useEffect, useRef, useState } from 'react';

/** @param known Whether the list is as the hub has it: what an old list says is no drop. */
export function useDropout(isInVoice: boolean, known: boolean) {
  const wasInVoice = useRef(false);
  const isExpected = useRef(false);
  const [hasDropped, setDropped] = useState(false);
  useEffect(() => {
    if (!known) return;
    if (isInVoice) {
      setDropped(false);
      isExpected.current = false;
    } else if (wasInVoice.current && !isExpected.current) {
      setDropped(true);
    }
    wasInVoice.current = isInVoice;
  }, [isInVoice, known]);
  return {
    hasDropped,
    dismiss: useCallback(() => setDropped(false), []),
    /** The player leaves by themselves, or has changed their mind. */
    expect: useCallback((leaves = true) => {
      isExpected.current = leaves;
    }, []),
  };
}
