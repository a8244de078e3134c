import { sinkContract } from "../sink-contract.ts";
import { destinations, startSink } from "./support.ts";

for (const { type, double: create, settings } of destinations) {
  for (const compression of type === "otlp" ? ["none", "gzip", "zstd"] : ["none", "gzip"]) {
    sinkContract({
      name: `${type}, compression ${compression}`,
      confirms: true,
      start: async () => {
        const double = await create().listen();
        const { port } = double;
        const under = startSink(type, [double.url], { ...settings, compression });
        return {
          sink: under.sink,
          received: () => double.stored.map(({ text }) => text).join("\n"),
          down: async () => await double.close(),
          up: async () => void (await double.listen(port)),
          async [Symbol.asyncDispose]() {
            await under[Symbol.asyncDispose]();
            await double.close();
            if (double.violations.length > 0) throw new Error(`the API was not kept: ${double.violations.join("; ")}`);
          },
        };
      },
    });
  }
}
