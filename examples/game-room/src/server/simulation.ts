/**
 * Owns what the simulator panel may do to the sandbox. It exists only when the sandbox stands in for Discord, so
 * nothing here can reach real people.
 */
import type { Sandbox } from '@guildkit/sandbox';

/** A simulated person as the panel shows them. */
interface SimulatedPerson {
  readonly id: string;
  readonly name: string;
  readonly channelId: string | null;
}

/** What a fault does to the connection between this app and the sandbox. */
type Fault = 'cut' | 'reconnect' | 'invalidSession';

/** What a person can switch about themselves while in voice. */
type VoiceSwitch = 'mute' | 'deaf' | 'video';

export interface Simulation {
  people(): readonly SimulatedPerson[];
  addPerson(name: string): Promise<SimulatedPerson>;
  /** Joins voice, or moves when the person is in another channel already. */
  place(personId: string, channelId: string): Promise<void>;
  leave(personId: string): Promise<void>;
  switchVoice(personId: string, what: VoiceSwitch, on: boolean): Promise<void>;
  fault(fault: Fault): void;
  /** Connections, identifies and resumes that the sandbox has seen. */
  counters(): { readonly connections: number; readonly identifies: number; readonly resumes: number };
}

/** People beyond this number are refused: the panel is for trying things out. */
const MAX_PEOPLE = 50;

export function createSimulation(sandbox: Sandbox): Simulation {
  const person = (id: string) => sandbox.people.get(id);
  return {
    people: () => sandbox.people.list().map(({ id, name, channelId }) => ({ id, name, channelId })),
    async addPerson(name) {
      if (sandbox.people.list().length >= MAX_PEOPLE)
        throw new RangeError(`At most ${MAX_PEOPLE} people can be simulated.`);
      const { id, channelId } = await sandbox.people.create({ name });
      return { id, name, channelId };
    },
    async place(personId, channelId) {
      const who = person(personId);
      if (who.channelId === channelId) return;
      await (who.channelId === null ? who.joinVoice(channelId) : who.moveTo(channelId));
    },
    leave: async (personId) => person(personId).leaveVoice(),
    async switchVoice(personId, what, on) {
      const who = person(personId);
      await (what === 'mute' ? who.setMute(on) : what === 'deaf' ? who.setDeaf(on) : who.setVideo(on));
    },
    fault(fault) {
      if (fault === 'cut') sandbox.faults.cut({ handshake: false });
      else if (fault === 'reconnect') sandbox.faults.reconnect();
      else sandbox.faults.invalidateSession({ resumable: false });
    },
    counters: () => {
      const { gatewayConnections, identifies, resumes } = sandbox.traffic.counters;
      return { connections: gatewayConnections, identifies, resumes };
    },
  };
}
