import { createServer, type Server } from "node:net";

/** The system gives these ports to nobody by itself, neither to who connects nor to who listens anywhere: ip_local_port_range begins above them. */
const [portMin, ports, attemptsMax] = [15_000, 15_000, 100];

/**
 * Makes a server listen, and tells its port: the one given, or one that stays free after the server's end, so that a test can close
 * it and listen there again. A port that the system chooses may then be somebody else's, or the near end of a client's attempt to reach it.
 */
export async function listenOnOwnPort(server: Server, given = 0, host = "127.0.0.1"): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = given === 0 ? portMin + Math.floor(Math.random() * ports) : given;
    try {
      await listen(server, host, port);
      return port;
    } catch (error) {
      const isTaken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
      if (!isTaken || given !== 0 || attempt === attemptsMax) throw error;
    }
  }
}

/** Such a port that nobody listens on, for who has to name one beforehand. Not promised: that another test does not choose the same one. */
export async function unusedPort(host = "127.0.0.1"): Promise<number> {
  const server = createServer(), port = await listenOnOwnPort(server, 0, host);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => {
      server.off("listening", onListening);
      reject(error);
    };
    const onListening = (): void => {
      server.off("error", onError);
      resolve();
    };
    server.once("error", onError).once("listening", onListening).listen(port, host);
  });
}
