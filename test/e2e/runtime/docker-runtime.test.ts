import { runtimeContract } from "../../contract/runtime/suite.ts";
import { builtImage, connectEngine, freePort } from "./engine.ts";

runtimeContract("Docker engine", {
  prefix: `podkit-contract-${process.pid}`,
  open: async () => ({ runtime: await connectEngine(), pauseImage: await builtImage("pause"), shellImage: await builtImage("busybox"), freePort }),
});
