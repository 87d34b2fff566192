/** Owns the icons: 20 px, drawn with the text's colour, never the only carrier of a meaning. */
import type { ReactNode } from 'react';

function Icon({ children }: { readonly children: ReactNode }) {
  return (
    <svg
      className="icon"
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

export const MicOffIcon = () => (
  <Icon>
    <rect x="7.5" y="2.5" width="5" height="9" rx="2.5" />
    <path d="M5 9.5a5 5 0 0 0 10 0M10 14.5V17M3 3l14 14" />
  </Icon>
);

export const MicIcon = () => (
  <Icon>
    <rect x="7.5" y="2.5" width="5" height="9" rx="2.5" />
    <path d="M5 9.5a5 5 0 0 0 10 0M10 14.5V17" />
  </Icon>
);

export const DeafIcon = () => (
  <Icon>
    <path d="M4 12.5V11a6 6 0 0 1 12 0v1.5" />
    <rect x="3.5" y="11.5" width="3" height="5" rx="1.2" />
    <rect x="13.5" y="11.5" width="3" height="5" rx="1.2" />
    <path d="m3 3 14 14" />
  </Icon>
);

export const CameraIcon = () => (
  <Icon>
    <rect x="2.5" y="5.5" width="10" height="9" rx="2" />
    <path d="m12.5 9 5-2.5v7l-5-2.5" />
  </Icon>
);

export const ArrowLeftIcon = () => (
  <Icon>
    <path d="M16 10H4m5-5-5 5 5 5" />
  </Icon>
);

export const PlusIcon = () => (
  <Icon>
    <path d="M10 4v12M4 10h12" />
  </Icon>
);

export const ScreenIcon = () => (
  <Icon>
    <rect x="2.5" y="3.5" width="15" height="10" rx="2" />
    <path d="M10 13.5v3M6.5 16.5h7" />
  </Icon>
);

export const MoreIcon = () => (
  <Icon>
    <path d="M4.5 10h.01M10 10h.01M15.5 10h.01" strokeWidth="2.6" />
  </Icon>
);

/** The mark of the app: seats around a table. */
export const TableMark = () => (
  <svg className="table-mark" viewBox="0 0 32 32" aria-hidden="true">
    <rect x="9" y="9" width="14" height="14" rx="4.5" fill="currentColor" />
    <circle cx="16" cy="4" r="2.6" fill="currentColor" />
    <circle cx="28" cy="16" r="2.6" fill="currentColor" />
    <circle cx="16" cy="28" r="2.6" fill="currentColor" />
    <circle cx="4" cy="16" r="2.6" fill="currentColor" />
  </svg>
);
