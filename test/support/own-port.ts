import type { Server } from "node:net";

/** The system gives these ports to nobody by itself: ip_local_port_range begins above them. */
const [portMin, ports, attemptsMax] = [15_000, 15_000, 100];

/**
 * Makes a server listen on loopback, and tells its port: the one given, or one that stays free after the server's end, so that a test can close
 * it and listen there again. A port that the system chooses may then be somebody else's, or the near end of a client's attempt to reach it.
 */
export async function listenOnOwnPort(server: Server, given = 0): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = given === 0 ? portMin + Math.floor(Math.random() * ports) : given;
    try {
      await listen(server, port);
      return port;
    } catch (error) {
      const isTaken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
      if (!isTaken || given !== 0 || attempt === attemptsMax) throw error;
    }
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => {
      server.off("listening", onListening);
      reject(error);
    };
    const onListening = (): void => {
      server.off("error", onError);
      resolve();
    };
    server.once("error", onError).once("listening", onListening).listen(port, "127.0.0.1");
  });
}
