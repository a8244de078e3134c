import { createServer } from "node:net";

/** Ports that the system gives to nobody by itself, neither to who connects nor to who listens anywhere (ip_local_port_range begins above). */
const first = 15_000, count = 15_000, attemptsMax = 50;

/**
 * A port that nobody listens on, for who has to name one beforehand or leaves it and comes back. No other program is given it
 * meanwhile, and nobody who tries to reach it while it is closed can be connected with itself.
 * Not promised: that another test does not choose the same one.
 */
export async function unusedPort(host = "127.0.0.1"): Promise<number> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const port = first + Math.floor(Math.random() * count);
    if (await canListen(host, port)) return port;
  }
  throw new Error(`Cannot find a port on ${host}: ${attemptsMax} were in use`);
}

async function canListen(host: string, port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer().once("error", () => resolve(false));
    server.listen({ host, port }, () => server.close(() => resolve(true)));
  });
}
