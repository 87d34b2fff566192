/** Owns what a room's host may do with a player: a menu on the player's entry, by mouse, touch or keyboard. */
import type { VoiceRoomMember } from '@guildkit/core/wire';
import { useCommand } from '@guildkit/realtime-client/react';
import { useServerFn } from '@tanstack/react-start';
import { type FocusEvent, type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';
import { getHostMenu } from '../functions/table.js';
import { commandProblem } from '../room/command-words.js';
import { MoreIcon } from './icons.js';

interface PlayerMenuProps {
  readonly channelId: string;
  readonly member: VoiceRoomMember;
  /** Whether the player can be moved: a seat of the table cannot. */
  readonly canMove: boolean;
  /** The player is about to be gone, and this menu with them. */
  readonly onRemove: () => void;
}

type HostMenu = NonNullable<Awaited<ReturnType<typeof getHostMenu>>>;

/** How long the menu waits for what it may offer, ms: then it opens with what is known. */
const PATIENCE_MS = 700;

export function PlayerMenu({ channelId, member: { userId, username, mute }, canMove, onRemove }: PlayerMenuProps) {
  const load = useServerFn(getHostMenu);
  const [offer, setOffer] = useState<HostMenu>();
  const isOpen = offer !== undefined;
  const menuId = useId();
  const button = useRef<HTMLButtonElement>(null);
  const muteMember = useCommand('muteMember');
  const moveMember = useCommand('moveMember');
  const disconnectMember = useCommand('disconnectMember');
  const isBusy = muteMember.isPending || moveMember.isPending || disconnectMember.isPending;
  const problem = muteMember.error ?? moveMember.error ?? disconnectMember.error;

  const open = async (): Promise<void> => {
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, PATIENCE_MS));
    const found = await Promise.race([load({ data: { channelId, userId } }).catch(() => undefined), late]);
    // Whoever is somewhere else by now did not wait for it.
    if (document.activeElement === button.current) setOffer(found ?? { isMuted: mute, places: [] });
  };
  const close = (goesBack: boolean): void => {
    setOffer(undefined);
    if (goesBack) button.current?.focus();
  };
  const remove = (work: () => Promise<boolean>): void => {
    close(false);
    onRemove();
    void work();
  };
  return (
    <fieldset
      className="player-menu"
      onBlur={({ currentTarget, relatedTarget }: FocusEvent<HTMLElement>) => {
        if (!currentTarget.contains(relatedTarget)) close(false);
      }}
    >
      <button
        ref={button}
        type="button"
        className="icon-button"
        aria-label={`More for ${username}`}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-controls={isOpen ? menuId : undefined}
        disabled={isBusy}
        onClick={({ currentTarget }) => {
          if (isOpen) return close(true);
          // Safari gives a button no focus when it is clicked.
          currentTarget.focus();
          void open();
        }}
        onKeyDown={(event) => {
          if (event.key !== 'ArrowDown' || isOpen) return;
          event.preventDefault();
          void open();
        }}
      >
        <MoreIcon />
      </button>
      {isOpen && (
        <Menu id={menuId} label={`For ${username}`} onClose={close}>
          <Item
            onChoose={() => {
              close(true);
              void muteMember.run({ userId, mute: !offer.isMuted });
            }}
          >
            {offer.isMuted ? 'Unmute' : 'Mute'}
          </Item>
          <Item onChoose={() => remove(() => disconnectMember.run({ userId }))}>Remove from voice</Item>
          {canMove &&
            offer.places.map((place) => (
              <Item
                key={place.channelId}
                onChoose={() => remove(() => moveMember.run({ userId, channelId: place.channelId }))}
              >
                Move to {place.name}
              </Item>
            ))}
        </Menu>
      )}
      <p className="problem player-problem" role="alert">
        {problem && commandProblem(problem)}
      </p>
    </fieldset>
  );
}

interface MenuProps {
  readonly id: string;
  readonly label: string;
  readonly onClose: (goesBack: boolean) => void;
  readonly children: React.ReactNode;
}

/** The pattern "menu button" of the ARIA Authoring Practices: arrows, Home and End move, Escape and Tab close. */
function Menu({ id, label, onClose, children }: MenuProps) {
  const menu = useRef<HTMLDivElement>(null);
  const items = (): HTMLElement[] => [...(menu.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])];
  useEffect(() => {
    const [first] = menu.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [];
    first?.focus({ preventScroll: true });
    menu.current?.scrollIntoView({ block: 'nearest' });
  }, []);
  const onKeyDown = (event: KeyboardEvent): void => {
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: (at + 1) % all.length,
      ArrowUp: (at - 1 + all.length) % all.length,
      Home: 0,
      End: all.length - 1,
    };
    const next = steps[event.key];
    if (event.key === 'Escape' || event.key === 'Tab') onClose(event.key === 'Escape');
    if (next === undefined) return;
    event.preventDefault();
    all[next]?.focus();
  };
  return (
    <div ref={menu} id={id} className="menu" role="menu" aria-label={label} tabIndex={-1} onKeyDown={onKeyDown}>
      {children}
    </div>
  );
}

function Item({ onChoose, children }: { readonly onChoose: () => void; readonly children: React.ReactNode }) {
  return (
    <button type="button" className="menu-item" role="menuitem" tabIndex={-1} onClick={onChoose}>
      {children}
    </button>
  );
}
