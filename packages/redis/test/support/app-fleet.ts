/** The processes of an app, and the load balancer before them: it knows at once who is there and who drains. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { AppProcessNews, AppProcessSettings, PublishOrder } from './app-process.js';
import { bundle, type Program } from './bundle.js';

export interface Acknowledged {
  readonly epoch: string;
  readonly seq: number;
}

/** One process that runs, or ran. */
export class AppProcess {
  /** How it ended, or is about to. */
  fate: 'running' | 'drained' | 'killed' = 'running';
  port = 0;
  /** It ended, and nobody had told it to. */
  isCrashed = false;
  readonly exited: Promise<unknown>;
  private readonly child: ChildProcess;
  private orders = 0;
  private readonly waiting = new Map<number, { resolve(at: Acknowledged): void; reject(error: Error): void }>();

  private constructor(child: ChildProcess) {
    this.child = child;
    this.exited = once(child, 'exit').then(() => {
      for (const { reject } of this.waiting.values()) reject(new Error('the process is gone'));
      this.waiting.clear();
      if (this.fate !== 'running') return;
      this.fate = 'killed';
      this.isCrashed = true;
    });
    child.on('message', (news: AppProcessNews) => {
      if (news.type === 'listening') return;
      const waiting = this.waiting.get(news.order);
      this.waiting.delete(news.order);
      if (news.type === 'published') waiting?.resolve({ epoch: news.epoch, seq: news.seq });
      else waiting?.reject(new Error('refused'));
    });
  }

  static async start(program: Program, settings: AppProcessSettings): Promise<AppProcess> {
    const child = fork(program.path, [JSON.stringify(settings)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const made = new AppProcess(child);
    const [news] = (await Promise.race([once(child, 'message'), made.exited.then(() => [undefined])])) as [
      AppProcessNews | undefined,
    ];
    if (news?.type !== 'listening') throw new Error('an app process ended before it listened');
    made.port = news.port;
    return made;
  }

  /** @throws When it is refused, or the process ends before it has answered: nobody knows then. */
  publish(room: string, id: string): Promise<Acknowledged> {
    this.orders += 1;
    const order: PublishOrder = { order: this.orders, room, id };
    return new Promise((resolve, reject) => {
      this.waiting.set(order.order, { resolve, reject });
      this.child.send(order, (error) => {
        if (error !== null && this.waiting.delete(order.order)) reject(error);
      });
    });
  }

  async kill(): Promise<void> {
    this.fate = 'killed';
    this.child.kill('SIGKILL');
    await this.exited;
  }

  async drain(): Promise<void> {
    this.fate = 'drained';
    this.child.kill('SIGTERM');
    await this.exited;
  }
}

/** Some processes of one app. */
export class AppFleet {
  readonly running = new Set<AppProcess>();
  /** All processes that ever ran. */
  readonly all: AppProcess[] = [];
  private readonly program: Program;
  private readonly settings: AppProcessSettings;

  private constructor(program: Program, settings: AppProcessSettings) {
    this.program = program;
    this.settings = settings;
  }

  static async start(count: number, settings: AppProcessSettings): Promise<AppFleet> {
    const fleet = new AppFleet(await bundle(new URL('./app-process.ts', import.meta.url)), settings);
    await Promise.all(Array.from({ length: count }, () => fleet.add()));
    return fleet;
  }

  async add(): Promise<void> {
    const process = await AppProcess.start(this.program, this.settings);
    this.running.add(process);
    this.all.push(process);
    // As a load balancer would: nobody is sent where nobody answers.
    void process.exited.then(() => this.running.delete(process));
  }

  /** One of those that take new connections. */
  pick(random: () => number): AppProcess | undefined {
    const all = [...this.running];
    return all[Math.floor(random() * all.length)];
  }

  /** Ends one as a crash would. The load balancer hears of it with its clients. */
  async kill(process: AppProcess): Promise<void> {
    this.running.delete(process);
    await process.kill();
  }

  /** Replaces every process by another, one after the other, none before the next one is there. */
  async roll(): Promise<void> {
    for (const old of [...this.running]) {
      await this.add();
      // It may have been killed meanwhile.
      if (!this.running.delete(old)) continue;
      await old.drain();
    }
  }

  async close(): Promise<void> {
    const all = [...this.running];
    this.running.clear();
    await Promise.all(all.map((process) => process.kill()));
    await this.program.remove();
  }
}
