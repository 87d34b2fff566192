/** Owns the wording of how the table is reached. */
import type { TableStatus } from './table-view.js';

export function tableWords(status: TableStatus): {
  readonly tone: 'good' | 'busy' | 'bad' | 'off';
  readonly label: string;
} {
  switch (status) {
    case 'off':
      return { tone: 'off', label: 'You are not at the table' };
    case 'connecting':
      return { tone: 'busy', label: 'Taking a seat…' };
    case 'open':
      return { tone: 'good', label: 'You are at the table' };
    case 'full':
      return { tone: 'bad', label: 'No seat is free' };
    case 'lost':
      return { tone: 'busy', label: 'Connection lost. Trying again…' };
    case 'refused':
      return { tone: 'bad', label: 'Not let in' };
  }
}
