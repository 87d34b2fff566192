import { getRouteApi } from '@tanstack/react-router';
import type { Viewer } from '../functions/session.js';

const root = getRouteApi('__root__');

/** Who is logged in. Pages are drawn for nobody else. */
export function useViewer(): Viewer {
  const { viewer } = root.useLoaderData();
  if (viewer === null) throw new Error('this page is for players');
  return viewer;
}
