/** Owns the table: one's own microphone and camera, the tiles of who is seen and heard here. */
import { useServerFn } from '@tanstack/react-start';
import { type RefObject, useCallback, useEffect, useId, useRef, useState } from 'react';
import { leaveTable } from '../functions/table.js';
import type { Look } from '../room/mark-motion.js';
import type { SeatedPlayer } from '../room/seat-events.js';
import { tilesOf } from '../room/table-people.js';
import { tableWords } from '../room/table-words.js';
import type { TablePlace } from '../room/use-table.js';
import { Avatar } from './avatar.js';
import { CameraIcon, MicIcon, MicOffIcon } from './icons.js';

interface TableProps {
  readonly channelId: string;
  readonly place: TablePlace;
  readonly seats: readonly SeatedPlayer[];
  readonly viewer: { readonly userId: string; readonly username: string };
  readonly nameOf: (userId: string) => string | undefined;
  readonly simulated: boolean;
  /** Told before the player gets up, so that nobody asks why. */
  readonly onLeave: () => void;
}

export function Table({ channelId, place, seats, viewer, nameOf, simulated, onLeave }: TableProps) {
  const getUp = useServerFn(leaveTable);
  const { session, view, isSupported } = place;
  const [look, setLook] = useState<Look>();
  const [marksMotion, setMarksMotion] = useState(false);
  useEffect(() => {
    // Like all that looks at pictures it is loaded when it is wanted.
    if (marksMotion) void import('../room/mark-motion.js').then(({ markMotion }) => setLook(() => markMotion));
  }, [marksMotion]);
  const titleId = useId();
  const { status, microphone, camera, people, preview, problem } = view;
  const isOn = status !== 'off';
  return (
    <section className="table" aria-labelledby={titleId} data-testid="table" data-status={status}>
      <div className="table-head">
        <h2 id={titleId} className="section-title">
          Talk from this page
        </h2>
        <p className="table-status" role="status" data-tone={tableWords(status).tone} data-testid="table-status">
          {tableWords(status).label}
        </p>
      </div>
      {isOn && (
        <ul className="tiles" aria-label="At the table">
          <li className="tile" data-speaking={view.speaking} data-testid="own-tile">
            {preview === undefined ? (
              <Avatar id={viewer.userId} name={viewer.username} />
            ) : (
              <Preview stream={preview} />
            )}
            <TileName name={`${viewer.username} (you)`} speaking={view.speaking} />
          </li>
          {tilesOf(people, seats, viewer.userId, nameOf).map(({ userId, name, video, showing, speaking }) => (
            <li
              key={userId}
              className="tile"
              data-user={userId}
              data-speaking={speaking}
              data-showing={showing}
              data-testid="tile"
            >
              {video !== undefined && (
                <Picture
                  key={video}
                  name={name}
                  isShown={showing}
                  play={(canvas, onFrame) => session.play(video, canvas, onFrame)}
                  look={marksMotion ? look : undefined}
                />
              )}
              {!showing && <Avatar id={userId} name={name} />}
              <TileName name={name} speaking={speaking} />
            </li>
          ))}
        </ul>
      )}
      {status === 'full' && (
        <p className="callout" role="alert">
          Every seat is taken. You get the next one that is free, as long as this page stays open.
        </p>
      )}
      {status === 'refused' && (
        <p className="callout" role="alert">
          The server did not let this page in. Reload it and try again.
        </p>
      )}
      {isSupported ? (
        <div className="table-acts">
          <DeviceButton
            what="microphone"
            status={microphone}
            icon={microphone === 'on' ? <MicIcon /> : <MicOffIcon />}
            onClick={() => session.toggleMicrophone()}
          />
          <DeviceButton what="camera" status={camera} icon={<CameraIcon />} onClick={() => session.toggleCamera()} />
          {isOn ? (
            <button
              type="button"
              className="button"
              onClick={() => {
                onLeave();
                session.leave();
                // Unheard, the seat is free some seconds later.
                getUp({ data: { channelId } }).catch(() => {});
              }}
            >
              Leave the table
            </button>
          ) : (
            <button type="button" className="button" onClick={() => session.listen()}>
              Only listen
            </button>
          )}
          {(status === 'lost' || status === 'full') && (
            <button type="button" className="button" onClick={() => session.retry()}>
              Try now
            </button>
          )}
          {isOn && (
            <label className="check">
              <input type="checkbox" checked={marksMotion} onChange={({ target }) => setMarksMotion(target.checked)} />
              Mark what moves
            </label>
          )}
        </div>
      ) : (
        <p className="quiet">This browser cannot send or show pictures and sound here. Try a current Chrome or Edge.</p>
      )}
      <p className="problem" role="alert">
        {problem}
      </p>
      <p className="table-note">
        {simulated
          ? 'A bot of the simulated Discord speaks for you and shows your camera. With the real Discord voice works and video does not: it shows no video from bots today.'
          : 'A bot account speaks for you in Discord, one for each player at the table. Voice works, video does not: Discord shows no video from bots today.'}
      </p>
    </section>
  );
}

interface DeviceButtonProps {
  readonly what: 'microphone' | 'camera';
  readonly status: 'off' | 'starting' | 'on';
  readonly icon: React.ReactNode;
  readonly onClick: () => void;
}

function DeviceButton({ what, status, icon, onClick }: DeviceButtonProps) {
  return (
    <button
      type="button"
      className={status === 'on' ? 'button button-on' : 'button button-primary'}
      disabled={status === 'starting'}
      onClick={onClick}
    >
      {icon}
      {status === 'starting' ? `Starting ${what}…` : `Turn ${status === 'on' ? 'off' : 'on'} ${what}`}
    </button>
  );
}

function TileName({ name, speaking }: { readonly name: string; readonly speaking: boolean }) {
  return (
    <p className="tile-name">
      {name}
      {speaking && <span className="visually-hidden">, speaking</span>}
    </p>
  );
}

/** One's own camera, as in a mirror. */
function Preview({ stream }: { readonly stream: MediaStream }) {
  const show = useCallback(
    (video: HTMLVideoElement | null) => {
      if (video !== null) video.srcObject = stream;
    },
    [stream],
  );
  return <video ref={show} className="picture picture-own" autoPlay muted playsInline aria-label="Your camera" />;
}

interface PictureProps {
  readonly name: string;
  readonly isShown: boolean;
  readonly play: (canvas: HTMLCanvasElement, onFrame: (frame: VideoFrame) => void) => () => void;
  readonly look: Look | undefined;
}

function Picture({ name, isShown, play, look }: PictureProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const latest = useLatest({ play, look });
  useEffect(() => {
    if (canvas.current === null) return undefined;
    return latest.current?.play(canvas.current, (frame) => {
      if (overlay.current !== null) latest.current?.look?.(frame, overlay.current);
    });
  }, [latest]);
  return (
    <>
      <canvas ref={canvas} className="picture" hidden={!isShown} role="img" aria-label={`Camera of ${name}`} />
      {look !== undefined && <canvas ref={overlay} className="picture" hidden={!isShown} />}
    </>
  );
}

/** What a callback that outlives a drawing should use. */
function useLatest<T>(value: T): RefObject<T | null> {
  const ref = useRef<T | null>(value);
  useEffect(() => {
    ref.current = value;
  });
  return ref;
}
