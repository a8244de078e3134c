// pure
/** Where the engine listens, as DOCKER_HOST says it. */
export type EngineAddress =
  | { readonly kind: "unix"; readonly socketPath: string }
  | { readonly kind: "tcp"; readonly origin: string };

export const defaultSocketPath = "/var/run/docker.sock";

/** Returns what is wrong as a sentence for schemes that podkit does not speak. Contexts of the docker client are not read. */
export function parseDockerHost(dockerHost: string | undefined): EngineAddress | { readonly kind: "unsupported"; readonly why: string } {
  if (dockerHost === undefined || dockerHost === "") return { kind: "unix", socketPath: defaultSocketPath };
  if (dockerHost.startsWith("unix://")) {
    const socketPath = dockerHost.slice("unix://".length);
    return socketPath.startsWith("/") ? { kind: "unix", socketPath } : { kind: "unsupported", why: `DOCKER_HOST "${dockerHost}" needs an absolute path after unix://` };
  }
  const tcp = /^(?:tcp|http):\/\/([^/]+)\/?$/.exec(dockerHost);
  if (tcp?.[1] !== undefined && URL.canParse(`http://${tcp[1]}`)) {
    const url = new URL(`http://${tcp[1]}`);
    return { kind: "tcp", origin: `http://${url.hostname}:${url.port === "" ? "2375" : url.port}` };
  }
  return { kind: "unsupported", why: `DOCKER_HOST "${dockerHost}" is not unix:///path or tcp://host:port (ssh:// and TLS are not supported)` };
}

export function describeAddress(address: EngineAddress): string {
  return address.kind === "unix" ? address.socketPath : address.origin;
}
