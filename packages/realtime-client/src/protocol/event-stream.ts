/**
 * Owns how a stream of server-sent events is read (HTML Standard, 9.2.6 "Interpreting an event stream"), as far as the
 * client needs it: the data of each event. Refuses names, ids and retry times: the hub says all of that in the data.
 */

/** Takes the text of a stream piece by piece; calls back with the data of each event that is complete. */
export function createEventStreamReader(onData: (data: string) => void): (text: string) => void {
  /** The line that has begun, and the lines of data of the event that has. */
  let rest = '';
  let data: string[] = [];
  return (text) => {
    // A line may end in CR, LF or both, and the piece between the two: such a CR waits for what follows.
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() as string;
    for (const line of lines) {
      const field = /^data(?:$|: ?(.*))/s.exec(line);
      if (field) data.push(field[1] ?? '');
      else if (line === '' && data.length > 0) {
        onData(data.join('\n'));
        data = [];
      }
    }
  };
}
