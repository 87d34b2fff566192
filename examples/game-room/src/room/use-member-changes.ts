import type { VoiceRoomMember } from '@guildkit/core/wire';
import { useEffect, useRef, useState } from 'react';
import { describeChange, type MemberChange, memberChanges } from './member-changes.js';

/** A line of the activity list. */
export interface ActivityLine extends MemberChange {
  readonly key: number;
  readonly text: string;
  /** Unix ms by this browser's clock. */
  readonly at: number;
}

const KEPT = 8;

/** What has happened in a room since this page has opened, newest first. The people found on opening are no news. */
export function useMemberChanges(members: readonly VoiceRoomMember[], known: boolean): readonly ActivityLine[] {
  const before = useRef<readonly VoiceRoomMember[] | undefined>(undefined);
  const count = useRef(0);
  const [lines, setLines] = useState<readonly ActivityLine[]>([]);

  useEffect(() => {
    if (!known) return;
    const changes = before.current === undefined ? [] : memberChanges(before.current, members);
    before.current = members;
    if (changes.length === 0) return;
    const at = Date.now();
    const news = changes.map((change) => {
      count.current += 1;
      return { ...change, at, key: count.current, text: describeChange(change) };
    });
    setLines((old) => [...news.reverse(), ...old].slice(0, KEPT));
  }, [members, known]);

  return lines;
}
