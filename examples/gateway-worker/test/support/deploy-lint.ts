/** Reads the files of deploy/ as systemd, Docker and compose would, and says what is wrong with them. */
import { parse } from 'yaml';

/** The values of a unit file, by `Section.Key`; a key may stand several times. */
export function parseUnit(text: string): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, string[]>();
  let section = '';
  for (const [index, line] of text.split('\n').entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || /^[#;]/.test(trimmed)) continue;
    const heading = /^\[(\w+)\]$/.exec(trimmed)?.[1];
    if (heading !== undefined) {
      section = heading;
      continue;
    }
    const [, key, value] = /^([A-Z]\w*)=(.*)$/.exec(trimmed) ?? [];
    if (section === '' || key === undefined || value === undefined) throw new Error(`line ${index + 1} is no setting`);
    const name = `${section}.${key}`;
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  return values;
}

/** The instructions of a Dockerfile, with continued lines joined. */
export function parseDockerfile(text: string): readonly { readonly word: string; readonly rest: string }[] {
  const lines = text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const [, word, rest] = /^([A-Z]+)\s+(.+)$/.exec(line) ?? [];
    if (word === undefined || rest === undefined) throw new Error(`no instruction: ${line}`);
    return { word, rest };
  });
}

/** Problems of a unit file. */
export function lintUnit(text: string): readonly string[] {
  const unit = parseUnit(text);
  const one = (name: string): string | undefined => unit.get(name)?.at(-1);
  const user = one('Service.User');
  return found({
    'has no ExecStart with absolute paths': !/^\/\S+ \/\S+$/.test(one('Service.ExecStart') ?? ''),
    'runs as root': one('Service.DynamicUser') !== 'yes' && (user === undefined || user === 'root'),
    'is not started again': !['always', 'on-failure'].includes(one('Service.Restart') ?? ''),
    'is started again with settings that cannot work': one('Service.RestartPreventExitStatus') !== '78',
    'gives up after some restarts': one('Unit.StartLimitIntervalSec') !== '0',
    'keeps no state': one('Service.StateDirectory') === undefined,
    'is killed before it has handed over': !(Number(one('Service.TimeoutStopSec')) > 5),
    'may gain privileges': one('Service.NoNewPrivileges') !== 'yes',
    'has secrets in it': /TOKEN=|SECRET=/.test(text),
    'is not installed anywhere': one('Install.WantedBy') === undefined,
  });
}

/** Problems of a Dockerfile. @param exists Whether a path of the repository is there */
export function lintDockerfile(text: string, exists: (path: string) => boolean): readonly string[] {
  const all = parseDockerfile(text);
  const last = all.findLastIndex(({ word }) => word === 'FROM');
  const final = all.slice(last);
  const of = (word: string) => final.filter((instruction) => instruction.word === word).map(({ rest }) => rest);
  const user = of('USER').at(-1);
  const copied = all
    .filter(({ word, rest }) => word === 'COPY' && !rest.startsWith('--from'))
    .flatMap(({ rest }) => rest.split(/\s+/).slice(0, -1));
  const isJson = (rest: string | undefined): boolean => {
    try {
      return Array.isArray(JSON.parse(rest ?? ''));
    } catch {
      return false;
    }
  };
  return found({
    'has an image without a version': all.some(({ word, rest }) => word === 'FROM' && !/^\S+:\d/.test(rest)),
    'runs as root': user === undefined || user === 'root' || user === '0',
    'has no health check': !/CMD \[.*\/health/.test(of('HEALTHCHECK')[0] ?? ''),
    'has a health check that is no JSON': !isJson(/CMD (\[.*)$/.exec(of('HEALTHCHECK')[0] ?? '')?.[1]),
    'has no CMD that gets signals': !isJson(of('CMD')[0]),
    'keeps no state': of('VOLUME').length === 0,
    'listens to itself alone': !of('ENV').some((rest) => rest.includes('HOST=0.0.0.0')),
    'has secrets in it': /TOKEN=|SECRET=/.test(text),
    'copies what is not there': copied.some((path) => !exists(path)),
  });
}

interface Service {
  readonly build?: { readonly context?: string; readonly dockerfile?: string };
  readonly env_file?: string;
  readonly restart?: string;
  readonly user?: string;
  readonly healthcheck?: { readonly test?: readonly string[] };
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly stop_grace_period?: string;
}

/** Problems of a compose file. @param exists Whether a path is there, from the folder of the file */
export function lintCompose(text: string, exists: (path: string) => boolean): readonly string[] {
  const { services = {}, volumes = {} } = parse(text) as {
    services?: Record<string, Service>;
    volumes?: Record<string, unknown>;
  };
  const list = Object.values(services);
  const some = (isWrong: (service: Service) => boolean): boolean => list.length === 0 || list.some(isWrong);
  const named = list.flatMap((service) => (service.volumes ?? []).map((volume) => volume.split(':')[0] ?? ''));
  return found({
    'has no Dockerfile where it says': some(
      ({ build }) => !exists(`${build?.context ?? '.'}/${build?.dockerfile ?? 'Dockerfile'}`),
    ),
    'has settings without an example': some(({ env_file: file }) => file === undefined || !exists(`${file}.example`)),
    'is not started again': some(({ restart }) => !['always', 'unless-stopped', 'on-failure'].includes(restart ?? '')),
    'runs as root': some(({ user }) => user === undefined || user === 'root' || user === '0'),
    'has no health check': some(({ healthcheck }) => !(healthcheck?.test ?? []).join().includes('/health')),
    'keeps no state': named.length === 0 || named.some((name) => !(name in volumes)),
    'is killed before it has handed over': some(
      ({ stop_grace_period: time }) => !(Number.parseInt(time ?? '', 10) > 5),
    ),
    'opens ports to everybody': some(({ ports }) => (ports ?? []).some((port) => !port.startsWith('127.0.0.1:'))),
    'has secrets in it': /TOKEN=|SECRET=|TOKEN: |SECRET: /.test(text),
  });
}

function found(problems: Readonly<Record<string, boolean>>): readonly string[] {
  return Object.keys(problems).filter((problem) => problems[problem]);
}
