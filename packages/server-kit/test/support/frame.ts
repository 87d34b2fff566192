/** What the hub sends, as tests read it. */
export interface Frame {
  v: 1;
  type: 'event' | 'ack' | 'error';
  event: string;
  payload: Record<string, unknown>;
  ts: number;
  room?: string;
  seq?: number;
  id?: string;
  re?: string;
}
