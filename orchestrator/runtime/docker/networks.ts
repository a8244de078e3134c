import { RuntimeError } from "../runtime.ts";
import type { NetworkInfo, NetworkSpec } from "../runtime.ts";
import { poolOf } from "./container-status.ts";
import type { EngineHttp } from "./engine-http.ts";
import { text } from "./engine-json.ts";
import { dynamicRange, firstAddress } from "../subnet.ts";

/**
 * A pinned address (the DNS server's) needs a network whose subnet was given by its creator. So without a wish the engine chooses first:
 * a throw-away network shows a subnet that collides with nothing the engine knows, and is made again with it. Containers without a pinned
 * address get one of the upper half, so that the DNS server's address is never given away while it is down.
 */
export async function ensureNetwork(http: EngineHttp, spec: NetworkSpec): Promise<NetworkInfo> {
  const existing = await inspectNetwork(http, spec.name);
  if (existing !== undefined) return existing;
  for (let attempt = 0; ; attempt += 1) {
    const subnet = spec.subnet ?? (await chooseSubnet(http, spec));
    try {
      await createNetwork(http, spec.name, spec.labels, subnet);
    } catch (error) {
      // Somebody else took the subnet or made the same network between the two calls.
      const raced = error instanceof RuntimeError && /overlaps|already exists/i.test(error.message);
      if (!raced || attempt >= 5 || (spec.subnet !== undefined && /overlaps/i.test(error.message))) throw error;
    }
    const made = await inspectNetwork(http, spec.name);
    if (made !== undefined) return made;
  }
}

export async function removeNetwork(http: EngineHttp, name: string): Promise<void> {
  await http.call({ method: "DELETE", path: `/networks/${encodeURIComponent(name)}`, doing: `remove network "${name}"`, kind: "network", accept: [404] });
}

async function inspectNetwork(http: EngineHttp, name: string): Promise<NetworkInfo | undefined> {
  const { status, json } = await http.call({ method: "GET", path: `/networks/${encodeURIComponent(name)}`, doing: `inspect network "${name}"`, accept: [404] });
  if (status === 404 || text(json, "Name") !== name) return undefined;
  const { subnet, gateway } = poolOf(json);
  if (subnet === "") throw new RuntimeError("InvalidConfig", `Cannot use network "${name}": it has no IPv4 subnet`, { remedy: `Remove it with \`docker network rm ${name}\`; podkit makes it anew.` });
  return { name, subnet, gateway: gateway === "" ? firstAddress(subnet) : gateway };
}

async function chooseSubnet(http: EngineHttp, spec: NetworkSpec): Promise<string> {
  const name = `${spec.name}-choosing-subnet`;
  await removeNetwork(http, name);
  await createNetwork(http, name, spec.labels, undefined);
  try {
    const chosen = await inspectNetwork(http, name);
    if (chosen === undefined) throw new RuntimeError("Internal", `Cannot create network "${spec.name}": a network just made is gone`);
    return chosen.subnet;
  } finally {
    await removeNetwork(http, name);
  }
}

async function createNetwork(http: EngineHttp, name: string, labels: Readonly<Record<string, string>>, subnet: string | undefined): Promise<void> {
  await http.call({
    method: "POST", path: "/networks/create", doing: `create network "${name}"`, kind: "network",
    body: {
      Name: name, CheckDuplicate: true, Driver: "bridge", Labels: labels,
      ...(subnet === undefined ? {} : { IPAM: { Config: [{ Subnet: subnet, Gateway: firstAddress(subnet), IPRange: dynamicRange(subnet) }] } }),
    },
  });
}
