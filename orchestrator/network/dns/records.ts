// pure
/** The file by which the control plane tells the DNS server what there is: the Services of the cluster with their back ends. */
export type DnsRecords = {
  readonly version: 1;
  readonly domain: string;
  readonly services: readonly DnsService[];
};
export type DnsService =
  | { readonly kind: "endpoints"; readonly namespace: string; readonly name: string; readonly endpoints: readonly DnsEndpoint[] }
  | { readonly kind: "external"; readonly namespace: string; readonly name: string; readonly target: string };
export type DnsEndpoint = {
  readonly address: string;
  /** Of a Pod whose hostname and subdomain give it a name of its own. */
  readonly hostname?: string;
  readonly ports: readonly { readonly name: string; readonly protocol: "TCP" | "UDP" | "SCTP"; readonly port: number }[];
};

export const recordsFileName = "records.json";
/** JSON: `{ "upstreams": ["10.0.0.2"] }`, where names outside of the cluster are asked for. */
export const upstreamsFileName = "upstreams.json";

const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/i;
const portName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/i;
const ipv4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)$/;
const hostName = /^(?=.{1,253}\.?$)[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?(?:\.[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?)*\.?$/i;

/** Throws SyntaxError with the place of the first fault: a half-right file must not take names away. */
export function parseRecords(json: string): DnsRecords {
  const value: unknown = JSON.parse(json);
  const file = fields(value, "the file");
  if (file.get("version") !== 1) throw new SyntaxError(`version must be 1, got ${JSON.stringify(file.get("version"))}`);
  return { version: 1, domain: text(file, "domain", "the file", hostName), services: list(file, "services", "the file").map((service, at) => parseService(service, `services[${at}]`)) };
}

export function parseUpstreams(json: string): readonly string[] {
  const value: unknown = JSON.parse(json);
  return list(fields(value, "the file"), "upstreams", "the file").map((upstream, at) => {
    if (typeof upstream !== "string" || !(ipv4.test(upstream) || upstream.includes(":"))) throw new SyntaxError(`upstreams[${at}] must be an IP address`);
    return upstream;
  });
}

function parseService(value: unknown, path: string): DnsService {
  const service = fields(value, path);
  const namespace = text(service, "namespace", path, label), name = text(service, "name", path, label);
  switch (service.get("kind")) {
    case "external":
      return { kind: "external", namespace, name, target: text(service, "target", path, hostName) };
    case "endpoints":
      return { kind: "endpoints", namespace, name, endpoints: list(service, "endpoints", path).map((endpoint, at) => parseEndpoint(endpoint, `${path}.endpoints[${at}]`)) };
    default:
      throw new SyntaxError(`${path}.kind must be "endpoints" or "external"`);
  }
}

function parseEndpoint(value: unknown, path: string): DnsEndpoint {
  const endpoint = fields(value, path);
  const ports = list(endpoint, "ports", path).map((item, at) => {
    const port = fields(item, `${path}.ports[${at}]`);
    const number = port.get("port");
    if (typeof number !== "number" || !Number.isInteger(number) || number < 1 || number > 65_535) throw new SyntaxError(`${path}.ports[${at}].port must be 1 to 65535`);
    const protocol = (["TCP", "UDP", "SCTP"] as const).find((known) => known === port.get("protocol"));
    if (protocol === undefined) throw new SyntaxError(`${path}.ports[${at}].protocol must be TCP, UDP or SCTP`);
    const name = port.get("name");
    if (name !== "" && (typeof name !== "string" || !portName.test(name))) throw new SyntaxError(`${path}.ports[${at}].name must be a port name or empty`);
    return { name, protocol, port: number };
  });
  return { address: text(endpoint, "address", path, ipv4), ports, ...(endpoint.get("hostname") === undefined ? {} : { hostname: text(endpoint, "hostname", path, label) }) };
}

function fields(value: unknown, path: string): ReadonlyMap<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new SyntaxError(`${path} must be an object`);
  return new Map<string, unknown>(Object.entries(value));
}

function list(object: ReadonlyMap<string, unknown>, key: string, path: string): readonly unknown[] {
  const value = object.get(key);
  if (!Array.isArray(value)) throw new SyntaxError(`${key} of ${path} must be a list`);
  return value;
}

function text(object: ReadonlyMap<string, unknown>, key: string, path: string, form: RegExp): string {
  const value = object.get(key);
  if (typeof value !== "string" || !form.test(value)) throw new SyntaxError(`${key} of ${path} is ${JSON.stringify(value)}, which is not of the form ${form.source}`);
  return value;
}
