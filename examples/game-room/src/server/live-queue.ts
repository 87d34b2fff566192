/** Owns what waits between a page that sends and a seat that pulls: bounded, the oldest goes first. */

/** Pushed on one side, iterated once on the other. */
export interface LiveQueue<Item> extends AsyncIterable<Item> {
  push(item: Item): void;
  /** What waits is still handed out; then it is over. */
  end(): void;
}

export function createLiveQueue<Item>(capacity: number): LiveQueue<Item> {
  const items: Item[] = [];
  let isOver = false;
  let wake: (() => void) | undefined;
  const change = (): void => {
    wake?.();
    wake = undefined;
  };
  return {
    push(item) {
      if (isOver) return;
      items.push(item);
      if (items.length > capacity) items.shift();
      change();
    },
    end() {
      isOver = true;
      change();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const item = items.shift();
        if (item !== undefined) yield item;
        else if (isOver) return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    },
  };
}
