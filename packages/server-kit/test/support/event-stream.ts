/** A reader of server-sent events over node:http: keeps every block it gets, as the format's specification reads them. */
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import type { Frame } from './frame.js';

/** One block of the stream. */
export interface Block {
  readonly id: string | undefined;
  readonly retry: number | undefined;
  readonly comment: string | undefined;
  readonly frame: Frame | undefined;
}

/** Cuts text into blocks. */
export class BlockParser {
  private text = '';

  take(chunk: string): Block[] {
    this.text += chunk;
    const blocks: Block[] = [];
    for (let end = this.text.indexOf('\n\n'); end >= 0; end = this.text.indexOf('\n\n')) {
      const lines = this.text.slice(0, end).split('\n');
      this.text = this.text.slice(end + 2);
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = field('data');
      const retry = field('retry');
      blocks.push({
        id: field('id'),
        retry: retry === undefined ? undefined : Number(retry),
        comment: lines.find((line) => line.startsWith(':'))?.slice(2),
        frame: data === undefined ? undefined : (JSON.parse(data) as Frame),
      });
    }
    return blocks;
  }
}

export class TestStream {
  readonly blocks: Block[] = [];
  status = 0;
  headers: IncomingHttpHeaders = {};
  body = '';
  ended = false;
  /** As a browser keeps it. */
  lastEventId: string | undefined;
  response: IncomingMessage | undefined;
  private readonly parser = new BlockParser();
  private readonly waiting = new Set<() => void>();
  private readonly outgoing;

  constructor(port: number, path: string, headers: Readonly<Record<string, string>> = {}, method = 'GET') {
    this.outgoing = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      this.response = response;
      this.status = response.statusCode ?? 0;
      this.headers = response.headers;
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        this.body += chunk;
        if (!String(this.headers['content-type']).startsWith('text/event-stream')) return;
        for (const block of this.parser.take(chunk)) {
          this.blocks.push(block);
          if (block.id !== undefined) this.lastEventId = block.id;
        }
        this.wake();
      });
      response.on('close', () => {
        this.ended = true;
        this.wake();
      });
      response.on('error', () => {});
      this.wake();
    });
    this.outgoing.on('error', () => {
      this.ended = true;
      this.wake();
    });
    this.outgoing.end();
  }

  get frames(): Frame[] {
    return this.blocks.flatMap(({ frame }) => (frame === undefined ? [] : [frame]));
  }

  log(room: string): Frame[] {
    return this.frames.filter((frame) => frame.room === room && frame.seq !== undefined);
  }

  async opened(): Promise<this> {
    while (this.status === 0) await this.change();
    return this;
  }

  event(name: string): Promise<Frame> {
    return this.until((frame) => frame.event === name);
  }

  async until(fits: (frame: Frame) => boolean): Promise<Frame> {
    const block = await this.block(({ frame }) => frame !== undefined && fits(frame));
    return block.frame as Frame;
  }

  async block(fits: (block: Block) => boolean): Promise<Block> {
    for (;;) {
      const found = this.blocks.find(fits);
      if (found !== undefined) return found;
      if (this.ended) throw new Error(`the stream has ended with ${this.status}: ${this.body.slice(-300)}`);
      await this.change();
    }
  }

  async untilSeq(room: string, seq: number): Promise<Frame[]> {
    await this.until((frame) => frame.room === room && frame.seq === seq);
    return this.log(room);
  }

  async end(): Promise<void> {
    while (!this.ended) await this.change();
  }

  destroy(): void {
    this.outgoing.destroy();
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.waiting.add(resolve));
  }

  private wake(): void {
    for (const resolve of this.waiting) resolve();
    this.waiting.clear();
  }
}
