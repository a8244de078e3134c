import { systemClock } from "../../../kit/clock.ts";
import { FakeRuntime } from "../../../orchestrator/runtime/fake.ts";
import { scriptedBehaviour } from "../../contract/runtime/programs.ts";
import { runtimeContract } from "../../contract/runtime/suite.ts";

runtimeContract("fake engine", {
  prefix: "contract",
  open: async () => ({
    runtime: new FakeRuntime({ clock: systemClock, behaviour: scriptedBehaviour, images: ["pause", "shell"] }),
    pauseImage: "pause", shellImage: "shell", freePort: async () => 18_080,
  }),
});
